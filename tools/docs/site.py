"""The pages of docs/ as the site has them: with the anchors of GitHub, and links that lead somewhere."""

import posixpath
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from tools.docs import markdown, reference

# Pages that stand elsewhere in the repository, and where the site has them.
FROM_ELSEWHERE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "clients/python/README.md": "python-client.md",
}
# The index of the folder, for GitHub; the site has index.md and its navigation.
LEFT_OUT = {"docs/README.md"}
STYLE = Path(__file__).parent / "site.css"
SCHEME = re.compile(r"[a-z]+:", re.I)


def pages(root: Path) -> dict[str, str]:
    """Where each page of the repository is on the site, both as paths."""
    own = {path.relative_to(root).as_posix() for path in (root / "docs").rglob("*.md")} - LEFT_OUT
    # A README of a folder would become the index of whatever the navigation has it in.
    return {name: name.removeprefix("docs/").replace("/README.md", ".md") for name in sorted(own)} | FROM_ELSEWHERE


def write(root: Path, target: Path, repository: str | None) -> None:
    """Put everything into `target` that the site is built from.

    Args:
        repository: where files are that are no pages, such as https://github.com/OWNER/NAME/blob/TAG; None leaves their
            names without a link.
    """
    shutil.rmtree(target, ignore_errors=True)
    places = pages(root)
    for name, place in places.items():
        _put(target / place, for_site((root / name).read_text(), name, places, repository))
    shutil.copytree(root / "docs" / "images", target / "images")
    (target / "assets").mkdir()
    shutil.copy(STYLE, target / "assets")
    for place, text in reference.pages(root).items():
        _put(target / place, text)


def for_site(text: str, name: str, places: dict[str, str], repository: str | None) -> str:
    """A page with each heading's anchor written out, and each link as seen from its place on the site."""
    pieces, last = [], 0
    changes = [*_anchors(text), *_links(text, name, places, repository)]
    for start, end, replacement in sorted(changes):
        pieces += [text[last:start], replacement]
        last = end
    return "".join([*pieces, text[last:]])


def _anchors(text: str) -> Iterator[tuple[int, int, str]]:
    for heading in markdown.headings(text):
        yield heading.end, heading.end, f" {{#{heading.anchor}}}"


def _links(text: str, name: str, places: dict[str, str], repository: str | None) -> Iterator[tuple[int, int, str]]:
    here = places[name]
    for link in markdown.links(text):
        target, _, anchor = link["target"].partition("#")
        if not target or SCHEME.match(target):
            continue
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
        there = places.get(path)
        if path in LEFT_OUT:
            there, anchor = "index.md", ""
        if path.startswith("docs/images/"):
            there = path.removeprefix("docs/")
        if there is None and repository is None:
            yield link.start(), link.end(), text[link.start("start") + 1 : link.end("start") - 2]
            continue
        address = f"{repository}/{path}"
        if there is not None:
            address = posixpath.relpath(there, posixpath.dirname(here) or ".")
        yield link.start("target"), link.end("target"), f"{address}#{anchor}" if anchor else address


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
