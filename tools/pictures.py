"""`python -m tools.pictures FROM TO`: the pictures that a browser took, small enough for the repository.

Every picture gets a palette. `story-1.png`, `story-2.png` and so on become `story.gif`: GitHub plays a GIF only for
readers who want pictures to move, and gives it a button to pause.
"""

import sys
from pathlib import Path

from PIL import Image

# Long enough to read a caption and look at what it is about.
FRAME_MS = 3_200
LAST_FRAME_MS = 5_000


def main(source: Path, target: Path) -> None:
    """Write the pictures of one folder into another."""
    frames = sorted(source.glob("story-*.png"))
    for path in sorted({*source.glob("*.png")} - {*frames}):
        _with_palette(path).save(target / path.name, optimize=True)
    if frames:
        write_story(frames, target / "story.gif")


def write_story(frames: list[Path], target: Path) -> None:
    """One GIF of frames of the same size, that begins anew after the last one."""
    first, *others = (_with_palette(path) for path in frames)
    durations = [FRAME_MS] * len(others) + [LAST_FRAME_MS]
    first.save(target, save_all=True, append_images=others, duration=durations, loop=0)


def _with_palette(path: Path) -> Image.Image:
    """Coverage keeps the colours of small marks, k-means those of large areas; dithering would make these restless."""
    with Image.open(path) as image:
        return image.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
