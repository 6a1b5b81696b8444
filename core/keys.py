"""API keys: made, replaced, listed and revoked here; the API finds them by `prefix_of` and compares `digest`.

A key reads `tq_<prefix>_<random>`. The prefix is no secret: it finds the row. Only a SHA-256 of the whole
key is stored, which is enough for a key of 256 random bits (a slow hash protects guessable passwords).
"""

import hashlib
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

import psycopg
from psycopg.rows import class_row

from core import audit, locks
from core.audit import Action
from core.errors import TutorqError
from core.roles import KEY_ROLES, Role

PREFIX_BYTES = 4
RANDOM_BYTES = 32
KEY_PATTERN = re.compile(r"tq_([0-9a-f]{8})_[A-Za-z0-9_-]{43}")


class State(StrEnum):
    """What became of a key. One that was replaced works on until it expires."""

    IN_USE = "in use"
    REPLACED = "replaced"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Key:
    """One row of `app.api_keys`; `secret` is known only to the call that made the key."""

    key_id: int
    name: str
    role: Role
    prefix: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    replaced_by: int | None
    state: State
    secret: str | None = field(default=None, repr=False)


HAS_EXPIRED = "(expires_at is not null and expires_at <= now())"
COLUMNS = f"""
key_id, name, role, prefix, created_at, expires_at, last_used_at, revoked_at, replaced_by,
case
    when revoked_at is not null then 'revoked'
    when {HAS_EXPIRED} then 'expired'
    when replaced_by is not null then 'replaced'
    else 'in use'
end as state
"""
IN_USE = f"revoked_at is null and not {HAS_EXPIRED}"


def digest(secret: str) -> bytes:
    """SHA-256 of a key, as stored in `app.api_keys.key_hash`."""
    return hashlib.sha256(secret.encode()).digest()


def prefix_of(secret: str) -> str | None:
    """The part of a key that finds its row; None if the text cannot be a key."""
    match = KEY_PATTERN.fullmatch(secret)
    return match.group(1) if match else None


def create(
    connection: psycopg.Connection,
    name: str,
    role: Role,
    *,
    lasts: timedelta | None = None,
    actor: str | None = None,
) -> Key:
    """Make a key under a name that no key in use has; its `secret` cannot be shown again.

    It `lasts` so long, or until it is revoked. `actor` is who the audit log names; by default the operator.

    Raises:
        TutorqError: the name is empty or in use, the role is one of people, or the key would end at once.
    """
    if role not in KEY_ROLES:
        raise TutorqError(f"role {str(role)!r} of a key is not one of {', '.join(KEY_ROLES)}")
    _check_lasts(lasts)
    with connection.transaction():
        key = _insert(connection, name, role, _new_secret(), lasts)
        _note(connection, Action.KEY_CREATE, key, actor)
    return key


def rotate(
    connection: psycopg.Connection,
    name: str,
    *,
    overlap: timedelta,
    lasts: timedelta | None = None,
    actor: str | None = None,
) -> tuple[Key, Key]:
    """The key in use under this name as it ends after `overlap`, and the new one, of the same name and role.

    The new one `lasts` so long; by default as long as the old one was made for.

    Raises:
        TutorqError: no key in use has this name, or one of the two would end at once.
    """
    _check_lasts(lasts)
    if overlap < timedelta(0):
        raise TutorqError("the overlap cannot be negative; 0 ends the old key at once")
    with connection.transaction(), connection.cursor(row_factory=class_row(Key)) as cursor:
        old = cursor.execute(
            f"select {COLUMNS} from app.api_keys where name = %s and replaced_by is null and {IN_USE} for update",
            [name],
        ).fetchone()
        if old is None:
            raise _nobody(name)
        if lasts is None and old.expires_at is not None:
            lasts = old.expires_at - old.created_at
        # The name is free while the new key is made; nobody sees this moment.
        cursor.execute("update app.api_keys set replaced_by = key_id where key_id = %s", [old.key_id])
        new = _insert(connection, old.name, Role(old.role), _new_secret(), lasts)
        old = cursor.execute(
            # Rotating makes no key last longer than it would have.
            f"update app.api_keys set replaced_by = %s, expires_at = least(expires_at, now() + %s) "
            f"where key_id = %s returning {COLUMNS}",
            [new.key_id, overlap, old.key_id],
        ).fetchone()
        assert old is not None, "the row is locked"
        _note(connection, Action.KEY_ROTATE, new, actor, replaces=old.prefix, old_ends_at=old.expires_at)
    return old, new


def list_keys(connection: psycopg.Connection) -> Sequence[Key]:
    """All keys, ended ones too, in the order in which they were made."""
    with connection.cursor(row_factory=class_row(Key)) as cursor:
        return cursor.execute(f"select {COLUMNS} from app.api_keys order by key_id").fetchall()


def revoke(connection: psycopg.Connection, name: str, *, actor: str | None = None) -> list[Key]:
    """End the keys under this name now, those that a rotation left working too; or the one that begins with
    `tq_<prefix>`. A running API notices within seconds.

    Raises:
        TutorqError: no key that works has this name or beginning.
    """
    prefix = name.removeprefix("tq_") if name.startswith("tq_") else None
    with connection.transaction(), connection.cursor(row_factory=class_row(Key)) as cursor:
        ended = cursor.execute(
            f"update app.api_keys set revoked_at = now() where (name = %s or prefix = %s) and {IN_USE} "
            f"returning {COLUMNS}",
            (name, prefix),
        ).fetchall()
        for key in ended:
            _note(connection, Action.KEY_REVOKE, key, actor)
    if not ended:
        raise _nobody(name)
    return ended


def ensure_local_key(connection: psycopg.Connection, path: Path) -> str:
    """The admin key of this installation, kept in `path` (mode 0600); made if the file has no usable one.

    A key that the database does not know (because the database is new) is registered again; one that has ended is
    replaced. Every home has its own key, so several may share one database.
    """
    with connection.transaction():
        # Two processes may start at once; the second must find the file that the first has written.
        connection.execute("select pg_advisory_xact_lock(%s)", [locks.LOCAL_KEY])
        secret = path.read_text().strip() if path.exists() else ""
        if prefix_of(secret) is None or _has_ended(connection, secret):
            secret = _new_secret()
            write_private(path, secret)
        path.chmod(0o600)
        if not _is_known(connection, secret):
            key = _insert(connection, f"local-{prefix_of(secret)}", Role.ADMIN, secret, None)
            _note(connection, Action.KEY_CREATE, key, None)
    return secret


def _new_secret() -> str:
    return f"tq_{secrets.token_hex(PREFIX_BYTES)}_{secrets.token_urlsafe(RANDOM_BYTES)}"


def _insert(connection: psycopg.Connection, name: str, role: Role, secret: str, lasts: timedelta | None) -> Key:
    name = name.strip()
    if not name:
        raise TutorqError("a key needs a name, for example the program that will use it")
    if name.startswith("tq_"):
        raise TutorqError("the name of a key must not begin with tq_, as keys themselves do")
    try:
        # A transaction of its own, so that a refused name leaves the caller's transaction usable.
        with connection.transaction(), connection.cursor(row_factory=class_row(Key)) as cursor:
            # An expired key frees its name.
            cursor.execute(
                "update app.api_keys set revoked_at = expires_at "
                f"where name = %s and revoked_at is null and replaced_by is null and {HAS_EXPIRED}",
                [name],
            )
            row = cursor.execute(
                "insert into app.api_keys (name, role, prefix, key_hash, expires_at) "
                f"values (%s, %s, %s, %s, now() + %s) returning {COLUMNS}, %s as secret",
                (name, Role(role).value, prefix_of(secret), digest(secret), lasts, secret),
            ).fetchone()
    except psycopg.errors.UniqueViolation as error:
        raise TutorqError(
            f"a key called {name!r} is in use; `tutorq keys rotate` replaces it, `tutorq keys revoke` ends it"
        ) from error
    assert row is not None, "insert ... returning yields the row"
    return row


def _check_lasts(lasts: timedelta | None) -> None:
    if lasts is not None and lasts <= timedelta(0):
        raise TutorqError("a key must last longer than that; for example 90d")


def _nobody(name: str) -> TutorqError:
    return TutorqError(f"no key in use is called {name!r}; `tutorq keys list` shows all of them")


def _note(connection: psycopg.Connection, action: Action, key: Key, actor: str | None, **more: object) -> None:
    details = {"name": key.name, "role": key.role, "prefix": key.prefix, "expires_at": key.expires_at, **more}
    audit.record(connection, audit.Entry(actor or audit.operator(), action, "api_key", str(key.key_id), details))


def _is_known(connection: psycopg.Connection, secret: str) -> bool:
    return (
        connection.execute("select 1 from app.api_keys where key_hash = %s", (digest(secret),)).fetchone() is not None
    )


def _has_ended(connection: psycopg.Connection, secret: str) -> bool:
    query = f"select 1 from app.api_keys where key_hash = %s and not ({IN_USE})"
    return connection.execute(query, (digest(secret),)).fetchone() is not None


def write_private(path: Path, secret: str) -> None:
    """Replace the file in one step; it is never readable by others, not even for a moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{secret}\n")
    temporary.replace(path)
