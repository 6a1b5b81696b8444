"""What the checks and the site need of a Markdown page: headings with their anchors, links, commands."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

FENCE = re.compile(r"^ *(?P<fence>```+|~~~+)(?P<language>[^\n`]*)\n(?P<code>.*?)^ *(?P=fence) *$", re.M | re.S)
HEADING = re.compile(r"^(?P<marks>#{1,6}) +(?P<text>.+?) *$", re.M)
# An address in angle brackets may hold blanks and parentheses; none of ours needs them elsewhere.
LINK = re.compile(r"(?P<start>!?\[(?:[^\[\]]|\[[^\]]*\])*\]\()(?P<target>[^()\s]+)(?P<end>(?: \"[^\"]*\")?\))")
INLINE_CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.S)
MARK = re.compile(r'<a id="([^"]+)">')
NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")


class Heading(NamedTuple):
    level: int
    text: str
    anchor: str
    start: int
    end: int


class Code(NamedTuple):
    """A block of code, or a piece of code within a line (language "inline")."""

    language: str
    text: str


def without_code(text: str) -> str:
    """The page with its code blanked out, so that places stay what they were."""

    def blank(found: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", found[0])

    return INLINE_CODE.sub(blank, FENCE.sub(blank, text))


def without_blocks(text: str) -> str:
    """The page with its blocks of code blanked out."""
    return FENCE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def headings(text: str) -> Iterator[Heading]:
    """Each heading with the anchor that GitHub gives it; the second of a name gets -1."""
    seen: Counter[str] = Counter()
    for found in HEADING.finditer(without_blocks(text)):
        plain = LINK.sub(lambda link: link["start"].removeprefix("!")[1:-2], found["text"])
        anchor = NOT_IN_ANCHORS.sub("", plain.replace("`", "").replace("*", "").lower()).replace(" ", "-")
        times = seen[anchor]
        seen[anchor] += 1
        name = f"{anchor}-{times}" if times else anchor
        yield Heading(len(found["marks"]), found["text"], name, found.start(), found.end())


def anchors(text: str) -> set[str]:
    """Whatever a link may lead to: headings, and marks such as `<a id="name">`."""
    return {heading.anchor for heading in headings(text)} | set(MARK.findall(without_code(text)))


def links(text: str) -> Iterator[re.Match[str]]:
    """Inline links and pictures, outside code; each has `start`, `target` and `end`."""
    yield from LINK.finditer(without_code(text))


def code(text: str) -> Iterator[Code]:
    """All code of the page, in blocks and within lines."""
    for found in FENCE.finditer(text):
        yield Code(found["language"].strip(), found["code"])
    for found in INLINE_CODE.finditer(without_blocks(text)):
        yield Code("inline", " ".join(found[2].split()))
