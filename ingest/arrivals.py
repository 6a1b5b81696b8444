"""What lies in the landing directory, and which of its files are complete."""

import errno
import fcntl
import os
import signal
import stat
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ingest.checksums import SETTLED_SECONDS, fingerprint_of
from ingest.files import entity_of, in_loading_order, is_landing_file

PROCESSED, FAILED = "processed", "failed"

# How long nothing may have happened where the system does not tell whether a file is still open for writing, and in a
# folder, whose uploader pauses between two files.
QUIET_SECONDS = 10
# From then on, a complete file is taken though its folder never comes to rest.
PATIENCE_SECONDS = 600


@dataclass(frozen=True)
class LandedFile:
    """A landing file below the landing directory; `source` is its path in there, with slashes."""

    path: Path
    source: str
    entity: str
    fingerprint: str
    bytes: int


def has_landing_files(landing: Path) -> bool:
    """Something lies there to be loaded, complete or not."""
    return any(_is_wanted(landing, path) for drop in _drops(landing) for path in drop)


def complete_files(landing: Path, entity: str | None = None) -> list[LandedFile]:
    """Landing files (of one entity) that nobody is writing to any more, in the order in which they are loaded.

    A file that lies in the directory itself stands for itself. In a folder, every file waits for the others, of
    whatever name. `processed`, `failed` and hidden files and folders are not looked at.
    """
    found: dict[Path, LandedFile] = {}
    for drop in _drops(landing):
        wanted = [path for path in drop if _is_wanted(landing, path, entity)]
        is_at_rest = drop[0].parent == landing or not wanted or all(_rests(path, QUIET_SECONDS) for path in drop)
        for path in wanted:
            status = _status(path)
            if status and _is_complete(path, status) and (is_at_rest or _rests(path, PATIENCE_SECONDS)):
                source = path.relative_to(landing).as_posix()
                found[path] = LandedFile(path, source, entity_of(path).name, fingerprint_of(status), status.st_size)
    return [found[path] for path in in_loading_order(found)]


def complete_again(file: LandedFile) -> bool:
    """It is as it was when it was found, and still nobody writes to it."""
    status = _status(file.path)
    return status is not None and fingerprint_of(status) == file.fingerprint and _is_complete(file.path, status)


def left_alone(landing: Path) -> list[str]:
    """What lies there and is not going to be loaded: files of other names, and folders that cannot be read."""
    unreadable: list[Path] = []
    others = [
        path
        for drop in _drops(landing, unreadable)
        for path in drop
        if not _is_hidden(landing, path) and not _is_wanted(landing, path)
    ]
    # One that is being written may yet get its name.
    idle = [path for path in others if (status := _status(path)) and _is_complete(path, status)]
    return sorted(
        path.relative_to(landing).as_posix().encode(errors="backslashreplace").decode() for path in idle + unreadable
    )


def _drops(landing: Path, unreadable: list[Path] | None = None) -> Iterator[list[Path]]:
    """Files that came together: each in the directory itself alone, and all that are anywhere in the same folder."""
    if not landing.is_dir():
        return

    def note(error: OSError) -> None:
        if unreadable is not None:
            unreadable.append(Path(error.filename))

    for entry in sorted(landing.iterdir()):
        if entry.name.startswith(".") or entry.name in (PROCESSED, FAILED):
            continue
        if entry.is_dir() and not entry.is_symlink():
            if files := [Path(folder, name) for folder, _, names in os.walk(entry, onerror=note) for name in names]:
                yield files
        elif entry.is_file():
            yield [entry]


def _is_wanted(landing: Path, path: Path, entity: str | None = None) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False  # a name that is no text cannot be told to anybody
    return is_landing_file(path, entity) and not _is_hidden(landing, path)


def _is_hidden(landing: Path, path: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(landing).parts)


def _rests(path: Path, seconds: float) -> bool:
    """Nobody writes to it, or did anything with it for so long. A copy may keep the time at which its origin was
    modified, but not the time of its last change."""
    status = _status(path)
    return status is None or (abs(time.time() - status.st_ctime) > seconds and _is_complete(path, status))


def _is_complete(path: Path, status: os.stat_result) -> bool:
    quiet = abs(time.time() - status.st_mtime)
    if quiet <= SETTLED_SECONDS:
        return False
    is_open = _is_open_for_writing(path)
    return quiet > QUIET_SECONDS if is_open is None else not is_open


def _is_open_for_writing(path: Path) -> bool | None:
    """Whether any process has it open for writing. None: the system does not tell (other owner, network, no Linux).

    Linux grants a read lease only on files that nobody can write to, in whatever container the writer is.
    """
    if sys.platform != "linux":
        return None
    try:
        with path.open("rb") as file:
            # Who opens it for writing within the next microseconds breaks the lease; the usual signal would kill us.
            fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return True if error.errno == errno.EAGAIN else None
    return False


def _status(path: Path) -> os.stat_result | None:
    """None if it is gone, or no file (to open a pipe would wait for its writer)."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None
