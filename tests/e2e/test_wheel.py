"""The wheel that `make dist` builds: what it carries, and an installation from it, with nothing of the checkout."""

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import httpx2
import pytest

from core.settings import PROJECT_ROOT
from setup import NEEDED
from tests.e2e.installation import Installation

SETUPTOOLS = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
PACKAGES = {name.removesuffix(".*") for name in SETUPTOOLS["packages"]["find"]["include"]}
# For developers: the description that clients are generated from, and the template of migrations.
LEFT_OUT = {"api/openapi.json", "core/migrations/script.py.mako"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, since building leaves files behind."""
    folder = tmp_path_factory.mktemp("wheel")
    checkout = folder / "checkout"
    for name in [*_tracked(), *NEEDED, *_page()]:
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT_ROOT / name, checkout / name)
    build = [sys.executable, "-m", "uv", "build", "--wheel", "--no-build-isolation", "--offline"]
    where = ["--python", sys.executable, "--out-dir", str(folder / "dist"), str(checkout)]
    built = subprocess.run([*build, *where], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    [path] = (folder / "dist").glob("*.whl")
    return path


def test_it_carries_whatever_is_read(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    read = {name for name in _tracked() if name.split("/")[0] in PACKAGES and not name.endswith(".md")}
    assert read - names == LEFT_OUT
    dbt = {name for name in _tracked() if name.startswith("dbt_project/") and name.endswith((".sql", ".yml"))}
    shipped = {*dbt, *NEEDED, *_page(), "deploy/dagster.yaml", "pyproject.toml"}
    assert {f"core/shipped/{name}" for name in shipped} <= names
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == PACKAGES


def test_it_knows_nothing_of_the_machine_that_built_it(wheel: Path) -> None:
    places = [str(PROJECT_ROOT).encode(), str(wheel.parents[1]).encode(), str(Path(sys.prefix).resolve()).encode()]
    carried = zipfile.ZipFile(wheel)
    told = [name for name in carried.namelist() if any(place in carried.read(name) for place in places)]
    assert told == []


@pytest.mark.soak
def test_installed_in_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    """As people do it: `uv tool install tutorq-*.whl && tutorq up --demo`, then `doctor`, and Ctrl-C."""
    home, folder = tmp_path / "home", tmp_path / "empty"
    home.mkdir()
    folder.mkdir()
    kept = {name: os.environ[name] for name in ("LANG", "TMPDIR", "UV_CACHE_DIR", "UV_INDEX_URL") if name in os.environ}
    bare = {
        **kept,
        "HOME": str(home),
        "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin",
        "UV_TOOL_DIR": str(tmp_path / "tools"),
        "UV_TOOL_BIN_DIR": str(tmp_path / "bin"),
    }
    install = [sys.executable, "-m", "uv", "tool", "install", "--quiet", "--python", sys.executable, wheel.name]
    # Its cache and its index are those of the machine.
    environment = {**os.environ, **bare, "HOME": os.environ["HOME"]}
    done = subprocess.run(install, cwd=wheel.parent, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [site] = (tmp_path / "tools" / "tutorq").glob("lib/python*/site-packages")
    before = _files(site)

    installed = Installation(home / ".local" / "share" / "tutorq", [str(tmp_path / "bin" / "tutorq")])
    installed.folder = folder
    installed.log = tmp_path / "up.log"
    ports = ("TUTORQ_API_PORT", "TUTORQ_DAGSTER_PORT")
    installed.environment = {**bare, **{name: installed.environment[name] for name in ports}}
    assert wheel.name.split("-")[1] == installed.tutorq("--version").stdout.strip()
    installed.start("--demo")
    try:
        installed.wait_for_line("The history and the predictions are complete")
        assert installed.get("/api/health?strict=true")["status"] == "ok"
        page = httpx2.get(f"http://127.0.0.1:{installed.api_port}/")
        assert '<div id="root">' in page.text
        script = page.text.partition('src="/assets/')[2].partition('"')[0]
        assert httpx2.get(f"http://127.0.0.1:{installed.api_port}/assets/{script}").status_code == 200
        doctor = installed.tutorq("doctor", "--json")
        assert doctor.returncode == 0, doctor.stdout
        assert installed.runs() >= {("roll_over", "SUCCESS"), ("train", "SUCCESS")}
    finally:
        installed.interrupt()
    assert list(folder.iterdir()) == []
    assert _files(site) == before, "what is installed was written to"


def _files(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of each file; compiled modules come and go."""
    files = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def _tracked() -> list[str]:
    """Files of the checkout, but for what is built."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return [name for name in names if name and (PROJECT_ROOT / name).is_file()]


def _page() -> list[str]:
    dist = PROJECT_ROOT / "dashboards" / "dist"
    files = [path.relative_to(PROJECT_ROOT) for path in dist.rglob("*") if path.is_file()]
    return [path.as_posix() for path in files if not any(part.startswith(".") for part in path.parts)]
