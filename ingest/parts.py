"""A folder of Parquet parts, such as `sessions.parquet/`, as one landing file."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import TutorqError
from ingest import inside
from ingest.checksums import checksum, fingerprint_of


class Parts:
    """The parts of a folder, in the order of their names, as they were when they were found.

    `_SUCCESS`, `_metadata`, `.crc` and whatever else begins with `_` or `.` is no part. Each part is opened from the
    folder above it, and no link is followed. Folders below may be partitions (`year=2026`).

    Args:
        base: a folder that may itself be a link.
        source: path of the folder of parts below it.

    Raises:
        TutorqError: the folder cannot be read.
    """

    def __init__(self, base: Path, source: str) -> None:
        self._base = base
        self.source = source
        self._found = dict(self._look())

    @property
    def names(self) -> list[str]:
        """Their paths in the folder."""
        return list(self._found)

    @property
    def bytes(self) -> int:
        return sum(status.st_size for status in self._found.values())

    def check(self) -> None:
        """
        Raises:
            TutorqError: there is no part, or something else lies among them.
        """
        if not self._found:
            raise TutorqError(f"{self.source} has no Parquet file in it")
        for name in self._found:
            if not name.lower().endswith(".parquet"):
                raise TutorqError(f"{self.source} holds {name}, which is no Parquet file; move it away")

    @property
    def fingerprint(self) -> str:
        """What changes whenever one of the parts does, or one comes or goes."""
        return _digest(f"{name} {fingerprint_of(status)}" for name, status in self._found.items())

    def present_fingerprint(self) -> str:
        """The same for what lies there now; another one if nothing does."""
        try:
            return Parts(self._base, self.source).fingerprint
        except TutorqError:
            return ""

    def checksum(self) -> str:
        """Of the contents of the parts in their order, in hex.

        Raises:
            TutorqError: one of them cannot be read.
        """
        return _digest(self._checksum_of(name) for name in self._found)

    def _checksum_of(self, name: str) -> str:
        with self.opened(name) as path:
            return checksum(path)

    @contextmanager
    def opened(self, name: str) -> Iterator[Path]:
        """Where to read a part, for as long as it is open.

        Raises:
            TutorqError: it cannot be read, or is not what was found.
        """
        source = f"{self.source}/{name}"
        try:
            with inside.opened(self._base, source) as descriptor:
                if fingerprint_of(os.fstat(descriptor)) != fingerprint_of(self._found[name]):
                    raise TutorqError(f"{source} changed while it was read; load it when it is complete")
                yield inside.path_of(descriptor, self._base / source)
        except OSError as error:
            raise TutorqError(f"cannot read {source}: {error.strerror}") from error

    def _look(self, below: str = "") -> Iterator[tuple[str, os.stat_result]]:
        parts = Path(self.source, below).parts
        try:
            with inside.folder(self._base, parts) as descriptor, os.scandir(descriptor) as entries:
                found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
                statuses = {
                    name: os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                    for name, is_folder in found
                    if not is_folder and name[0] not in "._"
                }
        except OSError as error:
            raise TutorqError(f"cannot read {self.source}: {error.strerror}") from error
        for name, is_folder in found:
            path = f"{below}/{name}".lstrip("/")
            if name in statuses:
                yield path, statuses[name]
            elif is_folder and name[0] not in "._":
                yield from self._look(path)


def _digest(lines: Iterator[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()
