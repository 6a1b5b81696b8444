"""A check of `tutorq doctor`: whether other users of this machine can read the installation's files."""

import os
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from core.settings import Settings

OTHERS = stat.S_IRWXO
GROUP_AND_OTHERS = stat.S_IRWXG | stat.S_IRWXO
PASS_THROUGH = stat.S_IXGRP | stat.S_IXOTH


def open_files(settings: Settings) -> tuple[str, str | None]:
    """Whether other users can read files, in words, and the commands that prevent it (None if nobody else can).

    In a folder that nobody else can enter, every file is closed whatever its mode: files that somebody drops keep their
    mode. The group of the landing directory is the operator's choice.
    """
    home, landing = settings.home, settings.landing
    commands = [
        *_commands(home, _home_allows(settings)),
        *(
            command
            for entry in (sorted(home.iterdir()) if home.is_dir() else [])
            if entry != landing
            for command in _commands(entry, 0)
        ),
        *_commands(landing, stat.S_IRWXG),
    ]
    if not commands:
        return "for this user only", None
    return "other users of this machine may read some of them", "; ".join(commands)


def _commands(path: Path, allowed: int) -> Iterator[str]:
    try:
        mode = path.lstat().st_mode
    except OSError:
        return
    excess = mode & GROUP_AND_OTHERS & ~allowed
    if stat.S_ISLNK(mode) or not excess or _is_closed_above(path):
        return
    takes = "go-rw" if allowed == PASS_THROUGH else "o-rwx" if allowed else "go-rwx"
    yield f"chmod {takes} {shlex.quote(str(path))}"


def _home_allows(settings: Settings) -> int:
    """If root starts it, the embedded server runs as another user, who reaches its data through the home folder."""
    return PASS_THROUGH if os.geteuid() == 0 and (settings.home / "postgres").exists() else 0


def _is_closed_above(path: Path) -> bool:
    return any(not parent.stat().st_mode & PASS_THROUGH for parent in path.parents)
