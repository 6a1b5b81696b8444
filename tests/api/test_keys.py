"""Making, revoking and checking keys."""

import asyncio
import stat
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from api.auth import Caller, KeyRing
from api.database import open_pool
from core import keys
from core.errors import TutorqError
from core.keys import Role
from tests.api.conftest import Served


class Clock:
    """A clock that a test sets, in seconds."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def connection(published: Served) -> Iterator[psycopg.Connection]:
    with published.database.connect(autocommit=True) as connection:
        yield connection


def test_only_a_hash_of_a_key_is_stored(connection: psycopg.Connection) -> None:
    key = keys.create(connection, "only-hash", Role.READ)
    assert key.secret is not None
    assert keys.prefix_of(key.secret) == key.prefix
    row = connection.execute("select * from app.api_keys where key_id = %s", (key.key_id,)).fetchone()
    assert key.secret not in str(row)
    assert keys.digest(key.secret) in (row or ())
    assert key.secret not in repr(key)
    assert all(listed.secret is None for listed in keys.list_keys(connection))


def test_a_name_is_free_again_once_its_key_is_revoked(connection: psycopg.Connection) -> None:
    first = keys.create(connection, "reused", Role.INGEST)
    with pytest.raises(TutorqError, match="in use"):
        keys.create(connection, " reused ", Role.READ)
    assert keys.revoke(connection, "reused").key_id == first.key_id
    assert keys.create(connection, "reused", Role.READ).key_id != first.key_id
    keys.revoke(connection, "reused")
    with pytest.raises(TutorqError, match="no key in use"):
        keys.revoke(connection, "reused")


def test_a_refused_name_leaves_the_transaction_usable(published: Served) -> None:
    with published.database.connect() as connection:
        keys.create(connection, "twice", Role.READ)
        with pytest.raises(TutorqError):
            keys.create(connection, "twice", Role.READ)
        assert [key.name for key in keys.list_keys(connection)].count("twice") == 1


@pytest.mark.parametrize("name", ["", "  "])
def test_a_key_needs_a_name(connection: psycopg.Connection, name: str) -> None:
    with pytest.raises(TutorqError, match="needs a name"):
        keys.create(connection, name, Role.READ)


def test_the_local_key_is_private_and_stays(connection: psycopg.Connection, tmp_path: Path) -> None:
    path = tmp_path / "new" / "api-key"
    secret = keys.ensure_local_key(connection, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    assert keys.ensure_local_key(connection, path) == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [key.role for key in keys.list_keys(connection) if key.prefix == keys.prefix_of(secret)] == [Role.ADMIN]


def test_a_new_database_learns_the_local_key(connection: psycopg.Connection, tmp_path: Path) -> None:
    path = tmp_path / "api-key"
    secret = keys.ensure_local_key(connection, path)
    connection.execute("delete from app.api_keys where prefix = %s", (keys.prefix_of(secret),))
    assert keys.ensure_local_key(connection, path) == secret
    assert keys.prefix_of(secret) in [key.prefix for key in keys.list_keys(connection)]


def test_a_revoked_local_key_is_replaced_and_stays_revoked(connection: psycopg.Connection, tmp_path: Path) -> None:
    path = tmp_path / "api-key"
    secret = keys.ensure_local_key(connection, path)
    revoked = keys.revoke(connection, f"local-{keys.prefix_of(secret)}")
    assert keys.ensure_local_key(connection, path) != secret
    assert [key.revoked_at for key in keys.list_keys(connection) if key.prefix == revoked.prefix] == [
        revoked.revoked_at
    ]


def test_a_running_api_forgets_a_revoked_key_after_ten_seconds(
    published: Served, connection: psycopg.Connection
) -> None:
    key = keys.create(connection, "short-lived", Role.READ)
    assert key.secret is not None
    clock = Clock()

    async def look_up() -> list[Caller | None]:
        found = []
        async with open_pool(published.database.url) as pool:
            ring = KeyRing(pool, clock=clock)
            found.append(await ring.find(key.secret or ""))
            keys.revoke(connection, "short-lived")
            for clock.now in (9.9, 10.1):
                found.append(await ring.find(key.secret or ""))
            await ring.close()
        return found

    caller = Caller(key.key_id, "short-lived", Role.READ)
    assert asyncio.run(look_up()) == [caller, caller, None]


def test_last_use_is_noted_once_a_minute(published: Served, connection: psycopg.Connection) -> None:
    key = keys.create(connection, "counted", Role.READ)
    noted: list[datetime | None] = []
    clock = Clock()

    async def use() -> None:
        async with open_pool(published.database.url) as pool:
            ring = KeyRing(pool, clock=clock)
            for clock.now in (0.0, 59.0, 61.0):
                await ring.find(key.secret or "")
                await ring.close()
                row = connection.execute(
                    "select last_used_at from app.api_keys where key_id = %s", (key.key_id,)
                ).fetchone()
                noted.append(row[0] if row else None)
                connection.execute(
                    "update app.api_keys set last_used_at = last_used_at - interval '61 s' where key_id = %s",
                    (key.key_id,),
                )

    asyncio.run(use())
    first, second, third = noted
    assert first is not None
    # The second use changed nothing: the time is as this test moved it back.
    assert second == first - timedelta(seconds=61)
    assert third is not None
    assert third >= first
