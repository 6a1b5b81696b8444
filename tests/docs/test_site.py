"""The site as `make docs` builds it, with Zensical in an environment of its own."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from core.settings import PROJECT_ROOT
from tools.docs import diagrams, site

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def zensical(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program, as the lock has it."""
    venv = tmp_path_factory.mktemp("zensical")
    uv = [sys.executable, "-m", "uv"]
    lock = ["--no-deps", "--require-hashes", "-r", str(PROJECT_ROOT / "tools" / "locks" / "docs.lock")]
    for command in (
        ["venv", "--quiet", "--clear", str(venv)],
        ["pip", "install", "--quiet", "--python", str(venv), *lock],
    ):
        subprocess.run([*uv, *command], check=True)
    return str(venv / "bin" / "zensical")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the site is built in, with its pages written."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(PROJECT_ROOT / "zensical.toml", folder)
    site.write(PROJECT_ROOT, folder / "build" / "docs", "https://example.org/blob/v1")
    diagrams.write(folder / "build" / "docs", PROJECT_ROOT / "build" / "downloads")
    return folder


def build(zensical: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [zensical, "build", "--clean", "--strict"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_it_is_built_with_search_and_loads_nothing_from_elsewhere(zensical: str, source: Path) -> None:
    built = build(zensical, source)
    assert built.returncode == 0, built.stdout + built.stderr
    made = source / "build" / "site"
    found = {item["title"] for item in json.loads((made / "search.json").read_text())["items"]}
    assert {
        "Your first score in five minutes", "tutorq keys rotate", "<code>TUTORQ_RISK_THRESHOLD</code>", "tutor_scores",
        "<code>GET /api/tutors</code>", "TutorqDaemonSilent", "Backups",
    } <= found  # fmt: skip
    pages = list(made.rglob("*.html"))
    assert len(pages) > 100
    for page in pages:
        text = page.read_text()
        assert re.findall(r'<(?:script|img|iframe)[^>]* src="?(?:https?:)?//', text) == [], page
        assert re.findall(r'<link[^>]*rel="?stylesheet[^>]* href="?(?:https?:)?//', text) == [], page


def test_a_dead_link_fails_it(zensical: str, source: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    (broken / "build" / "docs").mkdir(parents=True)
    config = tomllib.loads((source / "zensical.toml").read_text())["project"]
    assert config["docs_dir"] == "build/docs"
    (broken / "zensical.toml").write_text(
        '[project]\nsite_name = "x"\ndocs_dir = "build/docs"\nsite_dir = "build/site"\n'
    )
    page = broken / "build" / "docs" / "index.md"
    page.write_text("# One\n\n[two](#one)\n")
    assert build(zensical, broken).returncode == 0
    page.write_text("# One\n\n[two](two.md)\n")
    assert build(zensical, broken).returncode != 0
