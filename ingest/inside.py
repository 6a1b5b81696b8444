"""What is done below the landing directory, without following a link.

Whoever may drop files there may drop a link, too, or put one in the place of a file or a folder while it is looked at:
to a file that is nobody's business, or to a folder in which nothing should be written. So every step of a path is
opened by itself, from the folder before it, and a file is read from what was opened.
"""

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

# To open a pipe or a terminal must not wait, nor make it ours.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# Whom the operator lets into the landing directory may see what became of the files; others never.
GROUP = stat.S_IRWXG | stat.S_ISGID


@contextmanager
def folder(landing: Path, parts: Sequence[str], *, make: bool = False) -> Iterator[int]:
    """A descriptor of a folder below `landing` (which may itself be a link); folders that are missing can be made.

    Raises:
        OSError: there is none, or a link or a file lies in its place.
    """
    descriptor = os.open(landing, _FOLDER)
    try:
        shared = os.fstat(descriptor).st_mode & GROUP
        for part in parts:
            is_new = make and _make(descriptor, part)
            inner = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
            if is_new:
                os.fchmod(descriptor, stat.S_IRWXU | shared)
        yield descriptor
    finally:
        os.close(descriptor)


def _make(inner: int, name: str) -> bool:
    """Whether it was not there before."""
    try:
        os.mkdir(name, dir_fd=inner)
    except FileExistsError:
        return False
    return True


@contextmanager
def opened(landing: Path, source: str) -> Iterator[int]:
    """A descriptor of a regular file below `landing`, to read.

    Raises:
        OSError: it cannot be read, is gone, or a link is on the way to it or in its place.
    """
    *parts, name = PurePosixPath(source).parts
    with folder(landing, parts) as inner:
        descriptor = os.open(name, _FILE, dir_fd=inner)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileNotFoundError(f"{source} is no file")
        yield descriptor
    finally:
        os.close(descriptor)


def path_of(descriptor: int, otherwise: Path) -> Path:
    """A path that leads to what is open there, whatever has been put in its place meanwhile (Linux)."""
    return Path(f"/proc/self/fd/{descriptor}") if sys.platform == "linux" else otherwise


def exists(landing: Path, parts: Sequence[str]) -> bool:
    """Something of that name lies there, be it a link."""
    try:
        with folder(landing, parts[:-1]) as inner:
            os.stat(parts[-1], dir_fd=inner, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def write_text(inner: int, name: str, text: str) -> None:
    """A new file in place of what has that name; readable for the group, if its folder is.

    Raises:
        OSError: it cannot be written.
    """
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=inner)
    shared = os.fstat(inner).st_mode & stat.S_IRGRP
    with os.fdopen(os.open(name, _NEW, 0o600, dir_fd=inner), "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600 | shared)
        file.write(text)


def read_text(landing: Path, source: str) -> str:
    """
    Raises:
        OSError: as of `opened`.
        ValueError: it is not UTF-8.
    """
    with opened(landing, source) as descriptor, os.fdopen(os.dup(descriptor), encoding="utf-8") as file:
        return file.read()


def replace(inner: int, name: str, new_name: str) -> None:
    os.replace(name, new_name, src_dir_fd=inner, dst_dir_fd=inner)


def rename(inner: int, name: str, other: int, new_name: str) -> None:
    os.rename(name, new_name, src_dir_fd=inner, dst_dir_fd=other)


def unlink(inner: int, name: str) -> None:
    os.unlink(name, dir_fd=inner)


def remove_empty(landing: Path, parts: Sequence[str]) -> None:
    """Remove the folder, and those above it, as far as they are empty and ours."""
    with suppress(OSError):
        for depth in range(len(parts), 0, -1):
            with folder(landing, parts[: depth - 1]) as inner:
                os.rmdir(parts[depth - 1], dir_fd=inner)
