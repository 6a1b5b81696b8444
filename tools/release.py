"""For a release: whether a tag is the version of the package with a dated chapter in the changelog, and that chapter.

`python -m tools.release check v1.0.0` says what does not fit; `notes v1.0.0` prints what the release says of itself.
"""

import json
import re
import sys
import tomllib
from pathlib import Path

# Nothing of the package: a release is checked before anything is installed.
ROOT = Path(__file__).resolve().parents[1]
CHAPTER = re.compile(r"^## \[(?P<version>[^]]+)\](?: - (?P<day>\d{4}-\d{2}-\d{2}))?$", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|#)(?P<path>[^)]+)\)")


def chapters(changelog: str) -> dict[str, tuple[str | None, str]]:
    """Day (None if it has none) and text of each chapter, by version."""
    found = list(CHAPTER.finditer(changelog))
    ends = [*(each.start() for each in found[1:]), len(changelog)]
    return {
        each["version"]: (each["day"], changelog[each.end() : end].strip())
        for each, end in zip(found, ends, strict=True)
    }


def notes(tag: str, root: Path = ROOT) -> str:
    """The chapter of the version with this tag; links lead into the repository at this tag.

    Raises:
        ValueError: tag, package and changelog do not fit; says how.
    """
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    if tag != f"v{version}":
        raise ValueError(f"the tag is {tag}, and the version in pyproject.toml {version}: the tag should be v{version}")
    page = json.loads((root / "dashboards" / "package.json").read_text())["version"]
    if page != version:
        raise ValueError(f"the version in dashboards/package.json is {page}, and in pyproject.toml {version}")
    chart = (root / "deploy" / "helm" / "Chart.yaml").read_text()
    if re.findall(r'^(?:version|appVersion): "?([^"\n]+)"?$', chart, re.MULTILINE) != [version, version]:
        raise ValueError(f"deploy/helm/Chart.yaml has another version or appVersion than pyproject.toml, {version}")
    day, text = chapters((root / "CHANGELOG.md").read_text()).get(version, (None, ""))
    if day is None or not text:
        raise ValueError(f"CHANGELOG.md has no chapter “## [{version}] - YYYY-MM-DD” with a text")
    return LINK.sub(rf"](../../blob/{tag}/\g<path>)", text)


def main(arguments: list[str]) -> int:
    """Exit code: 0, or 1 if something does not fit, or 2 for unknown arguments."""
    match arguments:
        case ["check" | "notes" as verb, tag]:
            try:
                text = notes(tag)
            except ValueError as error:
                print(error, file=sys.stderr)
                return 1
            if verb == "notes":
                print(text)
            return 0
        case _:
            print("usage: python -m tools.release check|notes TAG", file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
