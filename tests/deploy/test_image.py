"""deploy/Dockerfile takes every package, and .dockerignore lets through whatever it takes. Docker is not asked."""

import shlex
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import PurePosixPath

from core.settings import PROJECT_ROOT

SETUPTOOLS = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
PACKAGES = {name for name in SETUPTOOLS["packages"]["find"]["include"] if "." not in name}


def copied() -> set[str]:
    """What the Dockerfile takes out of the checkout."""
    lines = (PROJECT_ROOT / "deploy" / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    copies = [shlex.split(line)[1:] for line in lines if line.startswith("COPY ") and "--from=" not in line]
    return {word for words in copies for word in words[:-1] if not word.startswith("--")}


def is_let_through(path: str) -> bool:
    """By the last pattern that fits the path or a folder above it, as Docker does."""
    patterns = [line for line in (PROJECT_ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    above = [path, *(str(each) for each in PurePosixPath(path).parents if str(each) != ".")]
    let_through = True
    for pattern in patterns:
        if any(fnmatch(each, pattern.removeprefix("!")) for each in above):
            let_through = pattern.startswith("!")
    return let_through


def test_the_image_has_every_package() -> None:
    assert copied() >= PACKAGES


def test_what_the_image_takes_is_there_and_reaches_the_build() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    tracked = listed.stdout.splitlines()
    for source in copied():
        files = [path for path in tracked if path == source or path.startswith(f"{source}/")]
        assert files, source
        assert [path for path in files if not is_let_through(path)] == []


def test_what_is_of_one_installation_stays_outside() -> None:
    for path in ("secrets/tutorq_database_url", ".env", "var/api-key", "deploy/aws/installation.toml", ".git/config"):
        assert not is_let_through(path), path
