"""API keys: made, listed and revoked here; the API looks them up by `prefix_of` and compares `digest`.

A key reads `tq_<prefix>_<random>`. The prefix is no secret: it finds the row. Only a SHA-256 of the whole
key is stored, which is enough for a key of 256 random bits (a slow hash protects guessable passwords).
"""

import hashlib
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import psycopg
from psycopg.rows import class_row

from core import locks
from core.errors import TutorqError

PREFIX_BYTES = 4
RANDOM_BYTES = 32
KEY_PATTERN = re.compile(r"tq_([0-9a-f]{8})_[A-Za-z0-9_-]{43}")


class Role(StrEnum):
    """What a key may do. The rights are separate: `ingest` may not read, `read` may not write."""

    READ = "read"
    INGEST = "ingest"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Key:
    """One row of `app.api_keys`; `secret` is known only to the call that made the key."""

    key_id: int
    name: str
    role: Role
    prefix: str
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None
    secret: str | None = field(default=None, repr=False)


COLUMNS = "key_id, name, role, prefix, created_at, last_used_at, revoked_at"


def digest(secret: str) -> bytes:
    """SHA-256 of a key, as stored in `app.api_keys.key_hash`."""
    return hashlib.sha256(secret.encode()).digest()


def prefix_of(secret: str) -> str | None:
    """The part of a key that finds its row; None if the text cannot be a key."""
    match = KEY_PATTERN.fullmatch(secret)
    return match.group(1) if match else None


def create(connection: psycopg.Connection, name: str, role: Role) -> Key:
    """Make a key under a name that no key in use has; its `secret` cannot be shown again.

    Raises:
        TutorqError: the name is empty or in use.
    """
    return _insert(connection, name, role, _new_secret())


def list_keys(connection: psycopg.Connection) -> Sequence[Key]:
    """All keys, revoked ones too, in the order in which they were made."""
    with connection.cursor(row_factory=class_row(Key)) as cursor:
        return cursor.execute(f"select {COLUMNS} from app.api_keys order by key_id").fetchall()


def revoke(connection: psycopg.Connection, name: str) -> Key:
    """Revoke the key in use under this name; a running API notices within seconds.

    Raises:
        TutorqError: no key in use has this name.
    """
    with connection.cursor(row_factory=class_row(Key)) as cursor:
        key = cursor.execute(
            f"update app.api_keys set revoked_at = now() where name = %s and revoked_at is null returning {COLUMNS}",
            (name,),
        ).fetchone()
    if key is None:
        raise TutorqError(f"no key in use is called {name!r}; `tutorq keys list` shows all of them")
    return key


def ensure_local_key(connection: psycopg.Connection, path: Path) -> str:
    """The admin key of this installation, kept in `path` (mode 0600); made if the file has no usable one.

    A key that the database does not know (because the database is new) is registered again; a revoked one is
    replaced. Every home has its own key, so several may share one database.
    """
    with connection.transaction():
        # Two processes may start at once; the second must find the file that the first has written.
        connection.execute("select pg_advisory_xact_lock(%s)", [locks.LOCAL_KEY])
        secret = path.read_text().strip() if path.exists() else ""
        if prefix_of(secret) is None or _is_revoked(connection, secret):
            secret = _new_secret()
            _write_private(path, secret)
        path.chmod(0o600)
        if not _is_known(connection, secret):
            _insert(connection, f"local-{prefix_of(secret)}", Role.ADMIN, secret)
    return secret


def _new_secret() -> str:
    return f"tq_{secrets.token_hex(PREFIX_BYTES)}_{secrets.token_urlsafe(RANDOM_BYTES)}"


def _insert(connection: psycopg.Connection, name: str, role: Role, secret: str) -> Key:
    if not name.strip():
        raise TutorqError("a key needs a name, for example the program that will use it")
    try:
        # A transaction of its own, so that a refused name leaves the caller's transaction usable.
        with connection.transaction(), connection.cursor(row_factory=class_row(Key)) as cursor:
            row = cursor.execute(
                "insert into app.api_keys (name, role, prefix, key_hash) values (%s, %s, %s, %s) "
                f"returning {COLUMNS}, %s as secret",
                (name.strip(), Role(role).value, prefix_of(secret), digest(secret), secret),
            ).fetchone()
    except psycopg.errors.UniqueViolation as error:
        raise TutorqError(f"a key called {name.strip()!r} is in use; revoke it first or choose another name") from error
    assert row is not None, "insert ... returning yields the row"
    return row


def _is_known(connection: psycopg.Connection, secret: str) -> bool:
    return (
        connection.execute("select 1 from app.api_keys where key_hash = %s", (digest(secret),)).fetchone() is not None
    )


def _is_revoked(connection: psycopg.Connection, secret: str) -> bool:
    query = "select 1 from app.api_keys where key_hash = %s and revoked_at is not null"
    return connection.execute(query, (digest(secret),)).fetchone() is not None


def _write_private(path: Path, secret: str) -> None:
    """Replace the file in one step; it is never readable by others, not even for a moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{secret}\n")
    temporary.replace(path)
