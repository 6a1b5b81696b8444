"""Making, revoking and checking keys."""

import asyncio
import stat
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest

from api.auth import COOKIE
from api.database import open_pool
from api.key_ring import Caller, KeyRing, Refused, Why
from api.limits import FAILED_KEYS_AT_ONCE
from core import keys
from core.errors import TutorqError
from core.roles import Role
from tests.api.conftest import Served, served


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
    assert [key.key_id for key in keys.revoke(connection, "reused")] == [first.key_id]
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
    (revoked,) = keys.revoke(connection, f"local-{keys.prefix_of(secret)}")
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

    async def look_up() -> list[Caller | Refused]:
        found: list[Caller | Refused] = []
        async with open_pool(published.database.url) as pool:
            ring = KeyRing(pool, clock=clock)
            found.append(await ring.find(key.secret or ""))
            keys.revoke(connection, "short-lived")
            for clock.now in (9.9, 10.1):
                found.append(await ring.find(key.secret or ""))
            await ring.close()
        return found

    caller = Caller(key.key_id, "short-lived", Role.READ)
    assert asyncio.run(look_up()) == [caller, caller, Refused(Why.REVOKED, "short-lived")]


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


def test_a_key_ends_at_its_moment(published: Served, connection: psycopg.Connection) -> None:
    key = keys.create(connection, "for an hour", Role.READ, lasts=timedelta(hours=1))
    assert key.expires_at is not None
    assert abs((key.expires_at - key.created_at) - timedelta(hours=1)) < timedelta(seconds=1)
    clock = Clock()

    async def look_up() -> list[Caller | Refused]:
        found: list[Caller | Refused] = []
        async with open_pool(published.database.url) as pool:
            ring = KeyRing(pool, clock=clock)
            for clock.now in (0.0, 5.0):
                found.append(await ring.find(key.secret or ""))
            # The ring has read it; nobody asks the database again within ten seconds.
            connection.execute("update app.api_keys set expires_at = now() where key_id = %s", [key.key_id])
            for clock.now in (9.0, 11.0):
                found.append(await ring.find(key.secret or ""))
            await ring.close()
        return found

    caller = Caller(key.key_id, "for an hour", Role.READ)
    assert asyncio.run(look_up()) == [caller, caller, caller, Refused(Why.EXPIRED, "for an hour")]
    assert [each.state for each in keys.list_keys(connection) if each.key_id == key.key_id] == ["expired"]
    # Its name is free again.
    assert keys.create(connection, "for an hour", Role.READ).state == "in use"


def test_an_expired_key_is_told_so(published: Served, connection: psycopg.Connection) -> None:
    key = keys.create(connection, "metabase", Role.READ, lasts=timedelta(days=1))
    connection.execute("update app.api_keys set expires_at = now() where key_id = %s", [key.key_id])
    with published.client(key.secret) as client:
        answer = client.get("/api/overview")
    assert answer.status_code == 401
    assert "'metabase' has expired" in answer.json()["detail"]


@pytest.mark.parametrize("lasts", [timedelta(0), timedelta(days=-1)])
def test_a_key_that_would_end_at_once_is_not_made(connection: psycopg.Connection, lasts: timedelta) -> None:
    with pytest.raises(TutorqError, match="must last longer"):
        keys.create(connection, "stillborn", Role.READ, lasts=lasts)


def test_a_rotated_key_works_on_until_the_overlap_ends(published: Served, connection: psycopg.Connection) -> None:
    first = keys.create(connection, "nightly", Role.READ, lasts=timedelta(days=90))
    old, new = keys.rotate(connection, "nightly", overlap=timedelta(hours=12))
    assert (old.key_id, old.state, old.replaced_by) == (first.key_id, "replaced", new.key_id)
    assert (new.name, new.role, new.state) == ("nightly", Role.READ, "in use")
    assert old.expires_at is not None
    assert old.expires_at < (first.expires_at or old.expires_at)
    # The new one lasts as long as the old one was made for.
    assert new.expires_at is not None
    assert abs((new.expires_at - new.created_at) - timedelta(days=90)) < timedelta(seconds=1)
    for secret in (first.secret, new.secret):
        with published.client(secret) as client:
            assert client.get("/api/overview").status_code == 200
    connection.execute("update app.api_keys set expires_at = now() where key_id = %s", [old.key_id])
    with published.client(new.secret) as client:
        assert client.get("/api/overview").status_code == 200
    # Again: only the newest can be replaced, and it has one name still.
    third = keys.rotate(connection, "nightly", overlap=timedelta(0))[1]
    assert [key.state for key in keys.list_keys(connection) if key.name == "nightly"] == [
        "expired",
        "expired",
        "in use",
    ]
    assert third.expires_at is not None


def test_a_rotation_does_not_lengthen_a_life(connection: psycopg.Connection) -> None:
    first = keys.create(connection, "ends soon", Role.READ, lasts=timedelta(hours=1))
    old, _ = keys.rotate(connection, "ends soon", overlap=timedelta(days=7))
    assert old.expires_at == first.expires_at


def test_revoking_a_name_ends_both_keys_of_a_rotation(connection: psycopg.Connection) -> None:
    keys.create(connection, "leaked", Role.READ)
    keys.rotate(connection, "leaked", overlap=timedelta(days=7))
    assert len(keys.revoke(connection, "leaked")) == 2
    keys.create(connection, "leaked", Role.READ)
    old, new = keys.rotate(connection, "leaked", overlap=timedelta(days=7))
    # By its beginning, one of them.
    assert [key.key_id for key in keys.revoke(connection, f"tq_{old.prefix}")] == [old.key_id]
    assert [key.state for key in keys.list_keys(connection) if key.key_id == new.key_id] == ["in use"]


def test_only_a_key_in_use_can_be_rotated(connection: psycopg.Connection) -> None:
    keys.create(connection, "gone", Role.READ)
    keys.revoke(connection, "gone")
    with pytest.raises(TutorqError, match="no key in use is called 'gone'"):
        keys.rotate(connection, "gone", overlap=timedelta(0))


def test_an_expired_local_key_is_replaced(connection: psycopg.Connection, tmp_path: Path) -> None:
    path = tmp_path / "api-key"
    secret = keys.ensure_local_key(connection, path)
    name = f"local-{keys.prefix_of(secret)}"
    connection.execute("update app.api_keys set expires_at = now() where name = %s", [name])
    assert keys.ensure_local_key(connection, path) != secret


class CountingPool:
    """A pool that counts what is asked of it."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self.asked = 0

    def acquire(self, **options: Any) -> Any:
        self.asked += 1
        return self._pool.acquire(**options)


def test_a_flood_of_made_up_keys_hardly_asks_the_database(published: Served, connection: psycopg.Connection) -> None:
    right = keys.create(connection, "in a flood", Role.READ)

    async def flood() -> tuple[int, set[Caller | Refused], list[Caller | Refused]]:
        async with open_pool(published.database.url) as pool:
            counting = CountingPool(pool)
            ring = KeyRing(counting)
            made_up = [ring.find(f"tq_{number:08x}_{'A' * 43}") for number in range(2_000)]
            late = asyncio.create_task(ring.find(right.secret or ""))
            found = set(await asyncio.gather(*made_up))
            asked = counting.asked
            # A key that is made meanwhile works at once.
            new = keys.create(connection, "made in a flood", Role.READ)
            right_ones = [await late, await ring.find(new.secret or "")]
            await ring.close()
            return asked, found, right_ones

    asked, found, right_ones = asyncio.run(flood())
    assert found == {Refused(Why.UNKNOWN)}
    assert asked < 20
    assert [isinstance(each, Caller) for each in right_ones] == [True, True]


@pytest.mark.parametrize("wrong", [{"X-API-Key": "tq_wrong"}, {"Cookie": f"{COOKIE}=made-up"}], ids=["key", "cookie"])
def test_what_does_not_work_is_limited_and_what_does_is_not(published: Served, wrong: dict[str, str]) -> None:
    with served(published.database, published.settings.home) as fresh, fresh.client(None) as client:
        opened = client.post("/api/auth/session", json={"api_key": fresh.key}).cookies[COOKIE]
        client.cookies.clear()
        for _ in range(10 * FAILED_KEYS_AT_ONCE):
            answer = client.get("/api/overview", headers=wrong)
            if answer.status_code == 429:
                break
        assert answer.json()["type"] == "urn:tutorq:problem:too-many-failed-keys"
        assert int(answer.headers["retry-after"]) >= 1
        # Without a key, nobody has failed.
        assert client.get("/api/overview").status_code == 401
        # From the same address, such as that of a proxy.
        assert client.get("/api/overview", headers={"X-API-Key": fresh.key}).status_code == 200
        assert client.get("/api/overview", headers={"Cookie": f"{COOKIE}={opened}"}).status_code == 200
