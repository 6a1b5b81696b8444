"""Who may read the files of an installation, and the commands that doctor gives if others may."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.doctor.files import open_files
from core.embedded import EmbeddedPostgres
from core.settings import Settings

CLOSED = "for this user only"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody may enter, as few of pytest's are."""
    made = Path(tempfile.mkdtemp(dir="/tmp", prefix="tutorq-files-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def settings_of(home: Path, landing: Path | None = None) -> Settings:
    return Settings(home=home, landing_dir=landing)


def make(path: Path, mode: int) -> Path:
    if path.suffix:
        path.write_text("")
    else:
        path.mkdir(parents=True)
    path.chmod(mode)
    return path


def mend(settings: Settings) -> None:
    _, commands = open_files(settings)
    assert commands is not None
    subprocess.run(["sh", "-c", commands.replace("; ", " && ")], check=True)
    assert open_files(settings) == (CLOSED, None)


def test_an_old_home_is_open_and_the_commands_close_it(folder: Path) -> None:
    home = make(folder / "a home", 0o755)
    for name in ("landing", "outbox"):
        make(home / name, 0o755)
    make(home / "outbox" / "mail.eml", 0o644)
    found, commands = open_files(settings_of(home))
    assert found == "other users of this machine may read some of them"
    assert commands is not None
    # What is closed further up needs no command.
    assert f"chmod go-rwx '{home}'" in commands
    mend(settings_of(home))
    assert home.stat().st_mode & 0o077 == 0


def test_what_nobody_else_may_enter_is_closed(folder: Path) -> None:
    home = make(folder / "home", 0o700)
    make(home / "landing", 0o777)
    make(home / "api.log", 0o644)
    assert open_files(settings_of(home)) == (CLOSED, None)
    assert open_files(settings_of(folder / "none yet")) == (CLOSED, None)


def test_a_landing_directory_elsewhere_may_be_the_groups_but_not_everybodys(folder: Path) -> None:
    home, landing = make(folder / "home", 0o700), make(folder / "landing", 0o2770)
    assert open_files(settings_of(home, landing)) == (CLOSED, None)
    landing.chmod(0o2775)
    mend(settings_of(home, landing))
    assert landing.stat().st_mode & 0o7777 == 0o2770


@pytest.mark.slow
@pytest.mark.parametrize("depth", [pytest.param("short", marks=pytest.mark.soak), "a path too long for a socket " * 4])
def test_the_embedded_server_runs_in_a_closed_home(folder: Path, depth: str) -> None:
    """Started by root it is another user's, who must get to its data, now and at the next start."""
    before = os.umask(0o077)
    server = EmbeddedPostgres(folder / depth / "home")
    try:
        for _ in range(2):
            server.start()
            assert open_files(settings_of(folder / depth / "home")) == (CLOSED, None)
            socket = Path(server._server().pgdata)
            info = (socket / "postmaster.pid").read_text().splitlines()[4]
            assert Path(info).stat().st_mode & 0o077 == 0
            server.release()
            (folder / depth / "home").chmod(0o700)  # by hand
    finally:
        os.umask(before)
        server.release()
