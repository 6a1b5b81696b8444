"""Checksums of landing files, which are read only if they may have changed."""

import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg

from core.errors import TutorqError

# A file that changed this shortly before it was read may change again within the same tick of its clock.
SETTLED_SECONDS = 2


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hex.

    Raises:
        TutorqError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise TutorqError(f"cannot read {path}: {error.strerror}") from error


def fingerprint(path: Path) -> str:
    """What changes whenever the file does.

    Raises:
        TutorqError: there is no such file.
    """
    try:
        return fingerprint_of(path.stat())
    except OSError as error:
        raise TutorqError(f"cannot read {path}: {error.strerror}") from error


def fingerprint_of(status: os.stat_result) -> str:
    """The change time, which nobody can set, tells of a copy that kept its times."""
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"


def checksums(connection: psycopg.Connection, paths: Sequence[Path]) -> dict[Path, str]:
    """The checksum of each file; files that are as they were when they were last read are not read again.

    Raises:
        TutorqError: a file cannot be read.
    """
    rows = connection.execute(
        "select path, fingerprint, checksum from raw.landing_checksums where path = any(%s)",
        [[str(path) for path in paths]],
    )
    remembered = {(path, state): digest for path, state, digest in rows}
    found: dict[Path, str] = {}
    for path in paths:
        state = fingerprint(path)
        if (digest := remembered.get((str(path), state))) is None:
            digest = checksum(path)
            _remember(connection, path, state, digest)
        found[path] = digest
    return found


def _remember(connection: psycopg.Connection, path: Path, state: str, digest: str) -> None:
    """Unless in doubt: the file changed just now, or while it was being read."""
    if fingerprint(path) == state and abs(time.time() - path.stat().st_ctime) > SETTLED_SECONDS:
        connection.execute(
            "insert into raw.landing_checksums (path, fingerprint, checksum) values (%s, %s, %s) "
            "on conflict (path) do update set (fingerprint, checksum, read_at) = "
            "(excluded.fingerprint, excluded.checksum, now())",
            [str(path), state, digest],
        )
