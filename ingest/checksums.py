"""Checksums of landing files, which are read only if they may have changed."""

import hashlib
import os
import time
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


def remembered_checksum(connection: psycopg.Connection, path: Path, content: Path | None = None) -> str:
    """The checksum of a file; one that is as it was when it was last read is not read again.

    Args:
        content: where to read it, if not by its path.

    Raises:
        TutorqError: the file cannot be read.
    """
    content = content or path
    state = fingerprint(content)
    row = connection.execute(
        "select checksum from raw.landing_checksums where path = %s and fingerprint = %s", [str(path), state]
    ).fetchone()
    if row:
        return str(row[0])
    digest = checksum(content)
    # Unless in doubt: the file changed just now, or while it was being read.
    if fingerprint(content) == state and abs(time.time() - content.stat().st_ctime) > SETTLED_SECONDS:
        connection.execute(
            "insert into raw.landing_checksums (path, fingerprint, checksum) values (%s, %s, %s) "
            "on conflict (path) do update set (fingerprint, checksum, read_at) = "
            "(excluded.fingerprint, excluded.checksum, now())",
            [str(path), state, digest],
        )
    return digest
