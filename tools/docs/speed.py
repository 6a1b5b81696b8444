"""The page of speed: what was measured night by night, from the lines that `benchmarks.compare` writes."""

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from benchmarks.harness import number

if TYPE_CHECKING:
    from benchmarks.compare import Comparison

NIGHTS = 90
WIDTH, HEIGHT, MARGIN = 640, 90, 12
MARKS = {"slower": "▲", "faster": "▼"}
LEAD = """# Speed

Each night measures `main` and the commit of the night before, in turns on one machine. The night fails if something has
become slower. `make bench-compare BASE=COMMIT` does the same for any two commits.
"""
NONE = "No night has been measured yet."
READING = f"""Less is better. *Alike* is within 5%. The figures are those of the last {NIGHTS} nights.

The curves show what a night measured: ▲ slower and ▼ faster than the night before. The machines differ from night to
night, so a curve may jump without a mark.
"""


def history(path: Path) -> "list[Comparison]":
    """All nights; none if there is no such file.

    Raises:
        ValueError: a line is no comparison; names file and line.
    """
    from benchmarks.compare import Comparison

    nights = []
    for at, line in enumerate(path.read_text().splitlines() if path.exists() else (), 1):
        try:
            nights.append(TypeAdapter(Comparison).validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ValueError(f"{path}, line {at}: {where}: {first['msg']}") from error
    return nights


def page(nights: "list[Comparison]") -> str:
    """The last night as a table, and a curve of each of its figures."""
    if not nights:
        return f"{LEAD}\n{NONE}\n"
    nights = nights[-NIGHTS:]
    last = nights[-1]
    lines = [
        LEAD,
        READING,
        f"## Night of {last.at:%Y-%m-%d}",
        "",
        f"`{last.head[:12]}` beside `{last.base[:12]}`, {last.rounds} rounds.",
        "",
        "| | costs | ÷ night before | |",
        "|---|---|---|---|",
    ]
    for each in last.figures:
        ratio = f"{each.ratio:.2f} ({each.low:.2f} to {each.high:.2f})"
        lines.append(f"| {each.task}: {each.figure} | {number(each.head)} | {ratio} | {each.verdict} |")
    lines += ["", *(f"`{task}` could not be compared.\n" for task in last.failed), "## Curves", ""]
    for each in last.figures:
        points = [
            (f"{night.at:%Y-%m-%d}", found.head, str(found.verdict))
            for night in nights
            for found in night.figures
            if (found.task, found.figure) == (each.task, each.figure)
        ]
        lines += [curve(f"{each.task}: {each.figure}", points), ""]
    return "\n".join(lines)


def curve(title: str, points: list[tuple[str, float, str]]) -> str:
    """A drawing in one line of HTML, from 0 to the most; points are day, cost and verdict."""
    most = max(cost for _, cost, _ in points)
    step = (WIDTH - 2 * MARGIN) / max(1, len(points) - 1)
    places = [
        (MARGIN + at * step, HEIGHT - MARGIN - cost / most * (HEIGHT - 2 * MARGIN))
        for at, (_, cost, _) in enumerate(points)
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return (
        f"<figure><figcaption>{escape(title)}: {number(points[-1][1])}, at most {number(most)}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}" fill="currentColor">'
        f'<polyline points="{line}" fill="none" stroke="currentColor"/>{"".join(_marks(points, places))}</svg></figure>'
    )


def _marks(points: list[tuple[str, float, str]], places: list[tuple[float, float]]) -> Iterator[str]:
    for (day, cost, verdict), (x, y) in zip(points, places, strict=True):
        told = f"<title>{day}: {number(cost)}, {escape(verdict)}</title>"
        if verdict in MARKS:
            yield f'<text x="{x - 4:.1f}" y="{y - 3:.1f}" font-size="9">{told}{MARKS[verdict]}</text>'
        else:
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.5">{told}</circle>'
