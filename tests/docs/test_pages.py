"""Pages say what is there: links lead somewhere, and commands, settings and targets of make exist."""

import itertools
import json
import posixpath
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from cli.app import app
from core.settings import PROJECT_ROOT, Settings
from tools.docs import markdown, reference, site

PAGES = sorted(
    path.relative_to(PROJECT_ROOT).as_posix()
    for path in PROJECT_ROOT.rglob("*.md")
    if not {"node_modules", "build", "dist", "test-results", "var", "target", ".pytest_cache"} & {*path.parts}
    if not any(part.startswith(".venv") for part in path.parts)
)
# Variables that the pages name besides settings: browser tests, `npm run dev`, the compose file with TLS; examples.
NO_SETTINGS = {
    *("TUTORQ_CHROMIUM", "TUTORQ_API", "TUTORQ_DOMAIN"),
    *("TUTORQ_URL", "TUTORQ_ADMIN_KEY", "TUTORQ_READ_KEY", "TUTORQ_INGEST_KEY"),
}
COMMAND = typer.main.get_command(app)
TARGETS = set(re.findall(r"^([a-z-]+):", (PROJECT_ROOT / "Makefile").read_text(), re.M))
# Words of a shell before which a command ends, where it is not cut already.
ENDS = {"&", "#", ")", ">", ">>", "<", "2>"}


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    assert list(dead_links(PROJECT_ROOT, name, (PROJECT_ROOT / name).read_text())) == []


def dead_links(root: Path, name: str, text: str) -> Iterator[str]:
    """Links of a page to what is not there: a file, a folder, or a heading of a page."""
    for link in markdown.links(text):
        target, _, anchor = link["target"].partition("#")
        if site.SCHEME.match(target):
            continue
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), target)) if target else name
        there = root / path
        if path != name and not there.exists():
            yield link["target"]
        elif anchor and there.suffix == ".md":
            page = text if path == name else there.read_text()
            if anchor not in markdown.anchors(page):
                yield link["target"]


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# One\n\n## Two `words`, and more …\n\n## Two `words`, and more …\n")
    text = """
# Here
[a](other.md) [b](other.md#two-words-and-more-) [c](other.md#two-words-and-more--1) [d](#here) [e](https://example.org/x#y)
<a id="mark"></a>[l](#mark)
[f](gone.md) [g](other.md#three) [h](#there) ![i](gone.png) `[j](code.md)`
```sh
# [k](block.md)
```
"""
    assert list(dead_links(tmp_path, "page.md", text)) == ["gone.md", "other.md#three", "#there", "gone.png"]


@pytest.mark.parametrize("name", PAGES)
def test_commands_exist(name: str) -> None:
    if name == "CHANGELOG.md":
        return  # tells of commands as they were
    text = (PROJECT_ROOT / name).read_text()
    assert list(unknown_commands(text)) == []
    targets = re.findall(r"(?:^|`)make ([a-z-]+)(?=[`\s])", "\n".join(_shell(text)), re.M)
    assert set(targets) - TARGETS == set()
    settings = set(re.findall(r"TUTORQ_[A-Z_]*[A-Z]\b(?!…)", text))
    known = {f"TUTORQ_{field.upper()}" for field in Settings.model_fields} | NO_SETTINGS
    # Of single connectors.
    settings = {each for each in settings if not each.startswith("TUTORQ_CONNECTOR_")}
    # A name that ends in … stands for several.
    assert {each for each in settings - known if not any(other.startswith(each) for other in known)} == set()


def unknown_commands(text: str) -> Iterator[str]:
    """Verbs and options of `tutorq` that are not there, as the page has them."""
    for line in _shell(text):
        # What stands in "$( )" ends there, also within quotes.
        for part in [*re.split(r"&&|[;|]", line), *re.findall(r"\$\(([^()]*)\)", line)]:
            if re.match(r"\s*(kubectl|helm) ", part):
                # Their tutorq is a release or a namespace, but for what runs in a container.
                part = part.partition(" -- ")[2]
            found = re.search(r"(?:^|\s|bin/)tutorq ((?:[a-z]|--).*)", part)
            if found and (problem := _problem(found[1])):
                yield f"{problem}: tutorq {found[1].strip()}"


def _shell(text: str) -> Iterator[str]:
    """Lines of shell, in blocks of it and within lines of text; what a backslash continues is one line."""
    for piece in markdown.code(text):
        if piece.language in ("sh", "bash", "inline", "console"):
            yield from piece.text.replace("\\\n", " ").splitlines()


def _problem(rest: str) -> str | None:
    try:
        words = [*shlex.shlex(rest, posix=True, punctuation_chars=True)]
    except ValueError:  # a quote that ends on another line
        words = re.split(r'[)"]', rest)[0].split()
    words = words[: next((place for place, word in enumerate(words) if word in ENDS), len(words))]
    command, context = COMMAND, COMMAND.context_class(COMMAND, info_name="tutorq")
    for word in words:
        if reference.is_group(command) and not word.startswith("-"):
            child = command.get_command(context, word.rstrip(",.:"))
            if child is None:
                return f"no verb {word}"
            command, context = child, child.context_class(child, info_name=word, parent=context)
        elif word.startswith("--"):
            known = {option for each in command.params for option in [*each.opts, *each.secondary_opts]} | {"--help"}
            if word.partition("=")[0].rstrip(",.:") not in known:
                return f"no option {word}"
    return None


def test_a_stale_command_is_found() -> None:
    text = """
Run `tutorq up --demo`, `tutorq keys rotate NAME --overlap 7d` or `tutorq frobnicate`.
```sh
cd /srv && .venv/bin/tutorq load DIR --mapping FILE && tutorq score --fast
eval "$(tutorq db env)" | tutorq keys delete x   # tutorq gone
kubectl label namespace tutorq one=two && kubectl exec deployment/tutorq -- tutorq vanish
```
"""
    assert [each.partition(":")[0] for each in unknown_commands(text)] == [
        "no option --fast", "no verb delete", "no verb vanish", "no verb frobnicate",
    ]  # fmt: skip


def test_every_page_is_in_the_navigation() -> None:
    """But for decisions, which have an index of their own."""
    project = tomllib.loads((PROJECT_ROOT / "zensical.toml").read_text())["project"]
    listed = set(_leaves(project["nav"]))
    pages = {*site.pages(PROJECT_ROOT).values(), *reference.pages(PROJECT_ROOT)}
    assert listed == {page for page in pages if not page.startswith("decisions/0") and page != "decisions/tools.md"}


def _leaves(nav: object) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    for each in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from _leaves(each)


def test_architecture_names_every_folder() -> None:
    page = (PROJECT_ROOT / "docs" / "architecture.md").read_text()
    folders = {*_packages(), *(readme.parent.name for readme in PROJECT_ROOT.glob("[!.]*/README.md"))} - {"docs"}
    assert set(re.findall(r"^\| \[`(\w+)/`\]\(\.\./\1/README\.md\)", page, re.M)) == folders


def test_architecture_names_every_job_and_sensor() -> None:
    graph = (PROJECT_ROOT / "tests" / "orchestration" / "graph.txt").read_text()
    names = re.findall(r"^(?:job|sensor) (\w+)", graph, re.M)
    page = (PROJECT_ROOT / "docs" / "architecture.md").read_text()
    assert [name for name in names if f"`{name}`" not in page] == []


def test_architecture_draws_the_imports_there_are() -> None:
    """Each solid arrow is an import, and each import follows arrows."""
    page = (PROJECT_ROOT / "docs" / "architecture.md").read_text().partition("who may import whom")[2]
    drawn: dict[str, set[str]] = {name: set() for name in _packages()}
    for line in page.partition("```mermaid")[2].partition("```")[0].splitlines():
        groups = [set(re.findall(r"\w+", group)) for group in line.split("-->")]
        for importers, imported in itertools.pairwise(groups):
            for name in importers:
                drawn[name] |= imported
    for name in drawn:
        sources = "".join(path.read_text() for path in (PROJECT_ROOT / name).rglob("*.py"))
        real = {*re.findall(r"^ *(?:from (?=[\w.]+ import)|import )(\w+)", sources, re.M)} & {*drawn} - {name}
        assert drawn[name] <= real, name
        assert real <= _reached(drawn, name), name


def test_every_resource_that_can_be_read_is_listed() -> None:
    """But for what is there for browsers and supervisors."""
    paths = json.loads((PROJECT_ROOT / "api" / "openapi.json").read_text())["paths"]
    resources = {path.split("/")[2] for path, operations in paths.items() if "get" in operations}
    section = (PROJECT_ROOT / "docs" / "api.md").read_text().partition("## What can be read")[2].partition("\n## ")[0]
    assert resources - set(re.findall(r"`([a-z-]+)[`/]", section)) == {"auth", "live", "ready"}


def test_refused_log_ins_are_explained_as_the_page_words_them() -> None:
    source = (PROJECT_ROOT / "dashboards/src/features/auth/components/log-in-page.tsx").read_text()
    worded = re.findall(r'^  \S+: "(.*?\.) ', source.partition("const REFUSED")[2].partition("};")[0], re.M)
    section = (PROJECT_ROOT / "docs" / "log-in.md").read_text().partition("| the page says |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| ([A-Z].*?) \|", section, re.M) == worded != []


def _packages() -> list[str]:
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())
    packages: list[str] = project["tool"]["importlinter"]["root_packages"]
    return packages


def _reached(arrows: dict[str, set[str]], name: str) -> set[str]:
    return set().union(*({end} | _reached(arrows, end) for end in arrows[name]))


def test_every_setting_is_described() -> None:
    described = set(re.findall(r"TUTORQ_[A-Z_]+", reference.settings((PROJECT_ROOT / ".env.example").read_text())))
    assert {f"TUTORQ_{name.upper()}" for name in Settings.model_fields} <= described


def test_pages_of_the_site_keep_their_anchors_and_lead_to_the_site() -> None:
    places = {"docs/a.md": "a.md", "docs/in/b.md": "in/b.md", "CHANGELOG.md": "changelog.md"}
    text = "## Where is …?\n[b](in/b.md#x) [c](../CHANGELOG.md) [d](README.md) [e](../core/x.py) ![p](images/p.png)\n"
    own = site.for_site(text, "docs/a.md", places, None)
    assert own == ("## Where is …? {#where-is-}\n[b](in/b.md#x) [c](changelog.md) [d](index.md) e ![p](images/p.png)\n")
    assert "[e](https://example.org/core/x.py)" in site.for_site(text, "docs/a.md", places, "https://example.org")
    assert "[a](../a.md)" in site.for_site("[a](../a.md)", "docs/in/b.md", places, None)


def test_tables_and_verbs_are_on_their_pages() -> None:
    pages = reference.pages(PROJECT_ROOT)
    assert "## tutor_scores" in pages["reference/tables.md"]
    assert "| `name` | text | Name as delivered; null for stubs. *personal* |" in pages["reference/tables.md"]
    assert "### tutorq keys rotate" in pages["reference/cli.md"]
    assert "`--overlap" in pages["reference/cli.md"]
    assert "## `GET /api/tutors` {#list-tutors}" in pages["reference/api/tutors.md"]
