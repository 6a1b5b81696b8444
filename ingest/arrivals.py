"""What lies in the landing directory, and which of its files are complete."""

import errno
import fcntl
import os
import signal
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from core.errors import TutorqError
from ingest import inside
from ingest.checksums import SETTLED_SECONDS, fingerprint_of
from ingest.contract import ENTITIES
from ingest.files import is_noise, other, parts_folder_above
from ingest.folder import kinds_of, mapping_path
from ingest.parts import Parts

PROCESSED, FAILED = "processed", "failed"

# How long nothing may have happened where the system does not tell whether a file is still open for writing, and in a
# folder, whose uploader pauses between two files.
QUIET_SECONDS = 10
# From then on, a complete file is taken though its folder never comes to rest.
PATIENCE_SECONDS = 600


@dataclass(frozen=True)
class LandedFile:
    """A landing file, or a folder of parts, below the landing directory; `source` is its path in there."""

    path: Path
    source: str
    # As what it is loaded, in this order.
    entities: tuple[str, ...]
    fingerprint: str
    bytes: int

    @property
    def entity(self) -> str:
        """The last of them, which has it loaded."""
        return self.entities[-1]


def has_landing_files(landing: Path) -> bool:
    """Something lies there to be loaded, complete or not."""
    return any(not path.is_symlink() for drop in _drops(landing) for path in _wanted(landing, drop))


def complete_files(landing: Path, entity: str | None = None) -> list[LandedFile]:
    """Landing files (of one entity) that nobody is writing to any more, in the order in which they are loaded.

    A file that lies in the directory itself stands for itself. In a folder, every file waits for the others, of
    whatever name. Everywhere a file waits for the mapping by which it is read. A folder of Parquet parts is one file,
    and waits in the same way: what a mark such as `_SUCCESS` says is true where it was written, not while the folder is
    copied. `processed`, `failed` and hidden files and folders are not looked at.
    """
    found: dict[Path, LandedFile] = {}
    for drop in _drops(landing):
        wanted = _wanted(landing, drop, entity)
        is_at_rest = drop[0].parent == landing or not wanted or all(_rests(path, QUIET_SECONDS) for path in drop)
        for path, files in wanted.items():
            statuses = [_status(file) for file in files]
            are_complete = all(
                status and _is_complete(file, status) for file, status in zip(files, statuses, strict=True)
            )
            source = path.relative_to(landing).as_posix()
            are_complete = are_complete and _has_complete_mapping(landing, source)
            if are_complete and (is_at_rest or all(_rests(file, PATIENCE_SECONDS) for file in files)):
                with suppress(TutorqError):
                    found[path] = _landed(landing, path, source)
    order = list(ENTITIES)
    return sorted(found.values(), key=lambda file: (order.index(file.entity), file.path))


def _landed(landing: Path, path: Path, source: str) -> LandedFile:
    """
    Raises:
        TutorqError: it is gone, or cannot be read.
    """
    entities = tuple(kinds_of(landing, source))
    if not entities:
        raise TutorqError(f"{source} is no landing file any more")
    if path.is_dir():
        parts = Parts(landing, source)
        return LandedFile(path, source, entities, parts.fingerprint, parts.bytes)
    status = _status(path)
    if status is None:
        raise TutorqError(f"{source} is gone")
    return LandedFile(path, source, entities, fingerprint_of(status), status.st_size)


@contextmanager
def opened(landing: Path, file: LandedFile) -> Iterator[int | Parts]:
    """A descriptor of the file, or the parts of the folder.

    Raises:
        OSError, TutorqError: it cannot be read, is gone, or a link is on the way to it or in its place.
    """
    if file.path.is_dir() and not file.path.is_symlink():
        yield Parts(landing, file.source)
    else:
        with inside.opened(landing, file.source) as descriptor:
            yield descriptor


def complete_again(landing: Path, file: LandedFile, content: int | Parts) -> bool:
    """What is open there is the file that was found, as it was then, and still nobody writes to it or its mapping."""
    if not _has_complete_mapping(landing, file.source):
        return False
    if isinstance(content, Parts):
        paths = [landing / file.source / name for name in content.names]
        statuses = [_status(path) for path in paths]
        are_complete = all(status and _is_complete(path, status) for path, status in zip(paths, statuses, strict=True))
        return content.present_fingerprint() == file.fingerprint and are_complete
    status = os.fstat(content)
    if fingerprint_of(status) != file.fingerprint:
        return False
    return _is_quiet(status, _has_writer(content))


def _has_complete_mapping(landing: Path, source: str) -> bool:
    """Nobody is writing the mapping of the file."""
    path = mapping_path(landing, source)
    status = _status(path) if path else None
    return path is None or status is None or _is_complete(path, status)


def left_alone(landing: Path) -> list[str]:
    """What lies there and is not going to be loaded: files of other names, links, and folders that cannot be read."""
    unreadable: list[Path] = []
    found = [path for drop in _drops(landing, unreadable) for path in drop if not _is_hidden(landing, path)]
    links = [path for path in found if path.is_symlink()]
    others = [path for path in found if path not in links and not is_noise(path.name) and not _unit(landing, path)]
    # One that is being written may yet get its name.
    idle = [path for path in others if (status := _status(path)) and _is_complete(path, status)]
    told = [other(_told(landing, path), is_link=path.is_symlink()) for path in idle + links]
    return sorted(
        [f"{each.source} ({each.why})" if each.why else each.source for each in told]
        + [_told(landing, path) for path in unreadable]
    )


def _told(landing: Path, path: Path) -> str:
    return path.relative_to(landing).as_posix().encode(errors="backslashreplace").decode()


def _drops(landing: Path, unreadable: list[Path] | None = None) -> Iterator[list[Path]]:
    """What came together: each file in the directory itself alone, and all that are anywhere in the same folder.

    Links are among it, to files and to folders; nothing behind them is.
    """
    if not landing.is_dir():
        return
    for entry in sorted(landing.iterdir()):
        if entry.name.startswith(".") or entry.name in (PROCESSED, FAILED):
            continue
        if entry.is_dir() and not entry.is_symlink():
            if files := list(_below(landing, (entry.name,), unreadable)):
                yield files
        elif entry.is_file() or entry.is_symlink():
            yield [entry]


def _below(landing: Path, parts: tuple[str, ...], unreadable: list[Path] | None) -> Iterator[Path]:
    """Files and links of a folder and its folders, each of which is opened from the one above it."""
    try:
        with inside.folder(landing, parts) as descriptor, os.scandir(descriptor) as entries:
            kinds = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
    except OSError:
        if unreadable is not None:
            unreadable.append(landing.joinpath(*parts))
        return
    for name, is_folder in sorted(kinds.items()):
        if is_folder:
            yield from _below(landing, (*parts, name), unreadable)
        else:
            yield landing.joinpath(*parts, name)


def _wanted(landing: Path, drop: list[Path], entity: str | None = None) -> dict[Path, list[Path]]:
    """The landing files (of one entity) of a drop, each with the files that it consists of."""
    found: dict[Path, list[Path]] = {}
    for path in drop:
        unit = _unit(landing, path)
        if unit and (entity is None or kinds_of(landing, _told(landing, unit))[-1:] == [entity]):
            found.setdefault(unit, []).append(path)
    return found


def _unit(landing: Path, path: Path) -> Path | None:
    """The landing file that a file is, or is a part of."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return None  # a name that is no text cannot be told to anybody
    if folder := parts_folder_above(path.relative_to(landing).parent):
        path = landing / folder
    if _is_hidden(landing, path) or is_noise(path.name):
        return None
    return path if kinds_of(landing, path.relative_to(landing).as_posix()) else None


def _is_hidden(landing: Path, path: Path) -> bool:
    """Also what dlt writes for itself beside the tables."""
    return any(part.startswith((".", "_dlt")) for part in path.relative_to(landing).parts)


def _rests(path: Path, seconds: float) -> bool:
    """Nobody writes to it, or did anything with it for so long. A copy may keep the time at which its origin was
    modified, but not the time of its last change."""
    status = _status(path)
    return status is None or (abs(time.time() - status.st_ctime) > seconds and _is_complete(path, status))


def _is_complete(path: Path, status: os.stat_result) -> bool:
    if abs(time.time() - status.st_mtime) <= SETTLED_SECONDS:
        return False
    return _is_quiet(status, _is_open_for_writing(path))


def _is_quiet(status: os.stat_result, has_writer: bool | None) -> bool:
    """Nobody writes to it; where nobody knows, nobody has for longer."""
    quiet = abs(time.time() - status.st_mtime)
    return quiet > (QUIET_SECONDS if has_writer is None else SETTLED_SECONDS) and not has_writer


def _is_open_for_writing(path: Path) -> bool | None:
    """Whether any process has it open for writing. None: the system does not tell (other owner, network, no Linux)."""
    if sys.platform != "linux":
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return _has_writer(descriptor)
    finally:
        os.close(descriptor)


def _has_writer(descriptor: int) -> bool | None:
    """Of a file that is open for reading, as `_is_open_for_writing`.

    Linux grants a read lease only on files that nobody can write to, in whatever container the writer is.
    """
    if sys.platform != "linux":
        return None
    try:
        # Who opens it for writing within the next microseconds breaks the lease; the usual signal would kill us.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return True if error.errno == errno.EAGAIN else None
    return False


def _status(path: Path) -> os.stat_result | None:
    """None if it is gone, or no file: a link, or a pipe, which would wait for its writer."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None
