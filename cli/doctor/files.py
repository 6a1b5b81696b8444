"""For `tutorq doctor`: who else on this machine may read the files of this installation."""

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
    """What is open to other users, and the commands that close it (None: nothing is).

    What lies in a folder that nobody else may enter is closed, whatever its own mode: files that somebody dropped keep
    theirs. The group of the landing directory is the operator's choice.
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
    """Started by root, the embedded server runs as another user, who must get through the home to its data."""
    return PASS_THROUGH if os.geteuid() == 0 and (settings.home / "postgres").exists() else 0


def _is_closed_above(path: Path) -> bool:
    return any(not parent.stat().st_mode & PASS_THROUGH for parent in path.parents)
