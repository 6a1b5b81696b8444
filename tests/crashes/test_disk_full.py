"""The disk of an installation is full: one clear line, nothing lost, and all is made up for once there is room."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

import psutil
import pytest

from core.settings import PROJECT_ROOT
from tests.crashes.conftest import serving
from tests.crashes.harness import Platform, assert_only_whole_states, read, watched, write_sessions

pytestmark = pytest.mark.soak

DISK_BYTES = 400 * 2**20
MOST_SECONDS = 300


class Disk(Protocol):
    def fill(self, room: int) -> None: ...
    def free(self) -> None: ...


class SmallDisk:
    """A file system in memory, which a file fills but for so many bytes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._filler = path / "filler"

    def fill(self, room: int) -> None:
        with self._filler.open("ab") as file:
            os.posix_fallocate(file.fileno(), file.tell(), shutil.disk_usage(self._path).free - room)

    def free(self) -> None:
        self._filler.unlink()


class LimitedFiles:
    """Where nobody may mount: the kernel refuses Postgres to write beyond so many bytes of any file."""

    def __init__(self, postmaster_file: Path) -> None:
        self._postmaster_file = postmaster_file

    def fill(self, room: int) -> None:
        self._limit(str(room))

    def free(self) -> None:
        self._limit("unlimited")

    def _limit(self, most: str) -> None:
        with suppress(FileNotFoundError, psutil.NoSuchProcess):  # it may have ended over the limit
            postmaster = psutil.Process(int(self._postmaster_file.read_text().split()[0]))
            # As the user it runs as: root may not do so in every container.
            user, group = postmaster.uids().real, postmaster.gids().real
            for process in (*postmaster.children(), postmaster):
                limit = ["prlimit", f"--pid={process.pid}", f"--fsize={most}:"]
                done = subprocess.run(limit, user=user, group=group, check=False, capture_output=True, text=True)
                assert done.returncode == 0 or not process.is_running(), done.stderr


@contextmanager
def mounted(path: Path) -> Iterator[bool]:
    """A small file system there, if this user may mount one."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(path)]
    is_mounted = bool(shutil.which("mount")) and subprocess.run(mount, check=False, capture_output=True).returncode == 0
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    home = tmp_path / "home"
    home.mkdir()
    with mounted(home) as is_mounted:
        yield SmallDisk(home) if is_mounted else LimitedFiles(home / "postgres" / "postmaster.pid")


def tutorq(platform: Platform, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli.app", *arguments],
        cwd=PROJECT_ROOT,
        env={**os.environ, **platform.settings.as_environment()},
        capture_output=True,
        text=True,
        check=False,
        timeout=MOST_SECONDS,
    )


def test_a_full_disk(disk: Disk, tmp_path: Path) -> None:
    folder = write_sessions(tmp_path / "landing", 0, versions=100)
    load, score = ("load", str(folder)), ("score",)
    with serving(tmp_path / "home") as server:
        undisturbed, platform = server.copy(), server.copy()
        before = read(platform)
        undisturbed.load(folder)
        undisturbed.build()
        # Postgres refuses a statement, or ends and recovers if it cannot write its log.
        with watched(platform, may_be_cut=True) as reader:
            for verb, room in ((load, 3 * 2**20), (score, 2**17)):
                disk.fill(room)
                refused = tutorq(platform, *verb)
                assert (refused.returncode, refused.stdout) == (1, "")
                assert refused.stderr.startswith("error: ")
                assert refused.stderr.count("\n") == 1
                disk.free()
                server.process.wait()
                taken = tutorq(platform, *verb)
                assert (taken.returncode, taken.stderr) == (0, "")
        assert platform.raw() == undisturbed.raw()
        assert platform.content() == undisturbed.content()
        assert_only_whole_states(reader, before, read(platform))
