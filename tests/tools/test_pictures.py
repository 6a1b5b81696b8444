"""Pictures of the README stay small, and the one that tells a story can be followed."""

import re
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageSequence

from core.settings import PROJECT_ROOT
from tools import pictures

IMAGES = PROJECT_ROOT / "docs" / "images"
LARGEST_BYTES = 400_000
LARGEST_STORY_BYTES = 1_048_576


def test_frames_become_a_story_and_the_rest_gets_a_palette(tmp_path: Path) -> None:
    source, target = tmp_path / "taken", tmp_path / "images"
    source.mkdir()
    target.mkdir()
    colours = ("#f4f5fb", "#1b2036", "#e8590c")
    for number, colour in enumerate(colours, start=1):
        frame = Image.new("RGB", (96, 60), "white")
        ImageDraw.Draw(frame).rectangle((8, 8, 40, 40), colour)
        frame.save(source / f"story-{number}.png")
    Image.new("RGB", (144, 90), "#334499").save(source / "today.png")

    pictures.main(source, target)

    assert sorted(path.name for path in target.iterdir()) == ["story.gif", "today.png"]
    with Image.open(target / "today.png") as today:
        assert (today.mode, today.size) == ("P", (144, 90))
        assert today.convert("RGB").getpixel((0, 0)) == (0x33, 0x44, 0x99)
    with Image.open(target / "story.gif") as story:
        assert story.info["loop"] == 0
        frames = [frame.convert("RGB") for frame in ImageSequence.Iterator(story)]
    assert ["#{:02x}{:02x}{:02x}".format(*frame.getpixel((20, 20))) for frame in frames] == list(colours)  # type: ignore[misc]


@pytest.mark.parametrize("path", sorted(IMAGES.iterdir()), ids=lambda path: path.name)
def test_pictures_are_small(path: Path) -> None:
    assert path.stat().st_size <= (LARGEST_STORY_BYTES if path.name == "story.gif" else LARGEST_BYTES)


def test_every_picture_is_shown_and_every_shown_picture_is_there() -> None:
    pages = [PROJECT_ROOT / "README.md", *(PROJECT_ROOT / "docs").rglob("*.md")]
    shown = {name for page in pages for name in re.findall(r"images/([\w-]+\.\w+)[\")]", page.read_text())}
    assert shown == {path.name for path in IMAGES.iterdir()}


def test_each_caption_of_the_story_can_be_read() -> None:
    with Image.open(IMAGES / "story.gif") as story:
        shown = [frame.info["duration"] for frame in ImageSequence.Iterator(story)]
    assert 5 <= len(shown) <= 7
    assert min(shown) >= 2_000
