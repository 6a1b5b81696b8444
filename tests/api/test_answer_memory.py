"""Answers from memory: never older than what was acknowledged, for those who may read them, and bounded."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx2
import pytest
from starlette.responses import Response

from api.answer_memory import OVERHEAD_BYTES, AnswerMemory, Kept
from api.database import VERSION_QUERY, Marts, open_pool
from api.tutors import queries
from api.tutors.schemas import TutorFilters, TutorRow
from core import keys
from core.roles import Role
from tests.api.conftest import Served, served
from tests.api.processes import several
from tests.conftest import PUBLISHED, Postgres


@pytest.fixture(scope="module")
def own(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The API on a published database of this file."""
    home = tmp_path_factory.mktemp("memory")
    with served(postgres.new_database(home, PUBLISHED), home) as own:
        yield own


@pytest.fixture(scope="module")
def client(own: Served) -> Iterator[httpx2.Client]:
    with own.client(own.key) as client:
        yield client


@pytest.mark.slow
def test_what_one_process_acknowledges_every_process_answers(own: Served, tmp_path: Path) -> None:
    """Both hold the answers of the version before when a session is posted to the one or the other."""
    with several(own, tmp_path, ingest_rate_per_second="1000000") as apis:
        [row] = apis.any().get("/api/tutors?limit=1&sort_by=name").json()["data"]
        as_of = apis.any().get("/api/overview").json()["meta"]["as_of"]
        one, every = f"/api/tutors/{row['tutor_id']}", "/api/tutors?limit=500"
        held = row["sessions_30d"]
        for number in range(20):
            for client in apis.clients:
                for path in (one, every):
                    for _ in range(3):
                        assert client.get(path).status_code == 200
            posted = {
                "session_id": str(uuid4()),
                "tutor_id": row["tutor_id"],
                "student_id": "S-1",
                "scheduled_time": f"{as_of}T10:00:00Z",
                "status": "completed",
                "updated_at": f"{as_of}T12:00:00Z",
            }
            assert apis.clients[number % 2].post("/api/sessions", json=posted).status_code == 202
            for client in apis.clients:
                assert client.get(one).json()["data"]["sessions_30d"] == held + number + 1
                found = {each["tutor_id"]: each for each in client.get(every).json()["data"]}
                assert found[row["tutor_id"]]["sessions_30d"] == held + number + 1


def test_rows_of_the_list_follow_each_post(own: Served, client: httpx2.Client) -> None:
    """Making all of them anew changes none."""
    as_of = client.get("/api/overview").json()["meta"]["as_of"]
    posted = [
        {
            "session_id": str(uuid4()),
            "tutor_id": f"T-{number}",
            "student_id": "S-1",
            "scheduled_time": f"{as_of}T1{number}:00:00Z",
            "status": "no_show",
            "initiator": "tutor",
        }
        for number in range(1, 6)
    ]
    before = client.get("/api/tutors?limit=500").content
    for session in posted:
        assert client.post("/api/sessions", json=session).status_code == 202
    assert client.get("/api/tutors?limit=500").content != before
    rows = "select * from intermediate.tutor_rows order by tutor_id"
    with own.database.connect() as connection:
        kept_live = connection.execute(rows).fetchall()
        connection.execute("select marts.keep_tutor_rows(null)")
        assert connection.execute(rows).fetchall() == kept_live
        assert len(kept_live) >= 5


def change_unnoticed(own: Served) -> None:
    """Another number in every row of the marts, of the same version: whatever is not from memory tells it."""
    with own.database.connect() as connection:
        connection.execute("update marts.tutor_scores set sessions_30d = sessions_30d + 1")
        connection.execute("select marts.keep_tutor_rows(null)")


def note_refresh(own: Served) -> None:
    with own.database.connect() as connection:
        connection.execute("select marts.note_refresh()")


def test_one_version_is_answered_from_memory(own: Served, client: httpx2.Client) -> None:
    paths = ("/api/tutors?limit=2&trend_weeks=2", "/api/tutors/T-2")
    held = {path: [client.get(path).content for _ in range(3)][-1] for path in paths}
    change_unnoticed(own)
    assert {path: client.get(path).content for path in paths} == held
    note_refresh(own)
    for path in paths:
        assert client.get(path).content != held[path]


def test_answers_from_memory_are_those_of_the_database(client: httpx2.Client) -> None:
    for path in ("/api/tutors?limit=3&trend_weeks=4", "/api/tutors/T-1", "/api/overview", "/api/tutors/T-1/history"):
        first, second, third = (client.get(path, headers={"Accept-Encoding": "identity"}) for _ in range(3))
        packed = [client.get(path, headers={"Accept-Encoding": "gzip"}) for _ in range(2)]
        for answer in (second, third, *packed):
            assert answer.content == first.content
            for name in ("etag", "cache-control", "content-type", "link"):
                assert answer.headers.get(name) == first.headers.get(name)
        for answer in packed:
            assert answer.headers["content-encoding"] == "gzip"
        assert len({answer.headers["vary"] for answer in (first, second, third, *packed)}) == 1


def test_an_answer_from_memory_is_for_those_who_may_read(own: Served, client: httpx2.Client) -> None:
    path = "/api/tutors?limit=7"
    held = [client.get(path).content for _ in range(3)][-1]
    change_unnoticed(own)
    assert client.get(path).content == held
    with own.database.connect() as connection:
        poster = str(keys.create(connection, f"posts only {uuid4()}", Role.INGEST).secret)
        reader = str(keys.create(connection, f"reads {uuid4()}", Role.READ).secret)
    for key, status in ((None, 401), ("tq_unknown_key", 401), (poster, 403), (reader, 200)):
        with own.client(key) as other:
            assert other.get(path).status_code == status
    note_refresh(own)
    assert client.get(path).content != held


def test_a_row_of_the_list_has_the_fields_of_its_schema(client: httpx2.Client) -> None:
    for row in client.get("/api/tutors?trend_weeks=3").json()["data"]:
        assert set(row) == set(TutorRow.model_fields)


def test_all_who_match_are_counted_again_when_the_version_changes(own: Served, client: httpx2.Client) -> None:
    paths = ("/api/tutors?is_active=true&limit=2", "/api/tutors?is_active=true&limit=2&offset=2", "/api/tutors?limit=1")
    before = [client.get(path).json()["meta"]["total"] for path in paths]
    leave = "update marts.tutor_scores set is_active = false where tutor_id = %s"
    with own.database.connect() as connection:
        connection.execute(leave, [client.get(paths[0]).json()["data"][0]["tutor_id"]])
        connection.execute("select marts.keep_tutor_rows(null), marts.note_refresh()")
    assert [client.get(path).json()["meta"]["total"] for path in paths] == [before[0] - 1, before[1] - 1, before[2]]


def kept(version: str, size: int = 1000) -> Kept:
    return Kept(version, Response(b"x" * size))


def test_an_answer_of_another_version_is_none() -> None:
    memory = AnswerMemory(1 << 20)
    held = kept("7.1.5")
    memory.keep("a", held)
    assert memory.find("a", "7.1.5") is held
    assert memory.find("a", "7.1.6") is None
    # Versions of another kind, of the same publication.
    memory.keep("b", kept("7.1"))
    assert "a" in memory
    assert memory.find("a", "7.2.5") is None
    assert "a" not in memory
    assert "b" not in memory


def test_a_late_answer_of_an_older_publication_takes_nothing_away() -> None:
    memory = AnswerMemory(1 << 20)
    held = kept("7.10.5")
    memory.keep("a", held)
    memory.keep("late", kept("7.9.5"))
    assert memory.find("a", "7.10.5") is held
    assert "late" not in memory
    # What comes of a newer one says that it is there, even if nobody has looked.
    memory.keep("b", kept("8.11.5"))
    assert [name for name in "ab" if name in memory] == ["b"]
    # A look says what is, also after a restore.
    memory.note("6.3")
    assert not memory
    held = kept("6.3.1")
    memory.keep("a", held)
    assert memory.find("a", "6.3.1") is held


def test_those_used_last_stay_and_no_more_than_the_limit() -> None:
    memory = AnswerMemory(3 * (1000 + OVERHEAD_BYTES))
    for name in "abc":
        memory.keep(name, kept("1.1"))
    memory.find("a", "1.1")
    memory.keep("d", kept("1.1"))
    assert [name for name in "abcd" if name in memory] == ["a", "c", "d"]
    # In the place of itself, it takes no more room; and one that is too large takes none.
    memory.keep("d", kept("1.1", 900))
    memory.keep("e", kept("1.1", 10_000))
    assert [name for name in "abcde" if name in memory] == ["a", "c", "d"]
    none = AnswerMemory(0)
    none.keep("a", kept("1.1"))
    assert "a" not in none


def test_a_look_that_hangs_is_taken_over_by_another_connection(own: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.database.LOOK_TIMEOUT_SECONDS", 0.3)
    hangs_once = "select case when nextval('looks') = 1 then pg_sleep(30)::text else 'seen' end"
    with own.database.connect() as connection:
        connection.execute("create sequence looks")

    async def main() -> None:
        async with open_pool(own.database.url) as pool:
            assert await Marts(pool).version(hangs_once) == "seen"

    asyncio.run(main())


def test_equal_sql_is_held_once() -> None:
    one, other = (queries.tutor((None, None)) for _ in range(2))
    assert one.sql is other.sql
    first, second = (queries.tutor_list(TutorFilters(limit=limit)) for limit in (5, 5))
    assert first.sql is second.sql


class _Counted(Marts):
    """Looks that wait until they are let go, each with the version that it saw when it began."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        super().__init__(pool)
        self.present = 0
        self.began = 0
        self.go = asyncio.Event()

    async def _run(self, work: object) -> str:  # type: ignore[override]
        seen, self.began = self.present, self.began + 1
        await self.go.wait()
        return str(seen)


def test_a_look_that_began_before_a_request_is_none_for_it(own: Served) -> None:
    async def main() -> None:
        async with open_pool(own.database.url) as pool:
            marts = _Counted(pool)
            first = asyncio.create_task(marts.version())
            while not marts.began:
                await asyncio.sleep(0)
            marts.present = 1
            later = [asyncio.create_task(marts.version()) for _ in range(5)]
            later[0].cancel()
            await asyncio.sleep(0)
            marts.go.set()
            assert await first == "0"
            assert await asyncio.gather(*later[1:]) == ["1"] * 4
            assert marts.began == 2
            assert await Marts(pool).version(VERSION_QUERY)

    asyncio.run(main())


def test_a_look_leaves_nothing_behind(own: Served) -> None:
    """What it looks at is named by addresses, of which there is no end."""
    fails = "select 1 / 0"

    async def main() -> None:
        async with open_pool(own.database.url) as pool:
            marts = Marts(pool)
            queries = [f"select '{team}'" for team in ("a", "b", "c")]
            assert await asyncio.gather(*map(marts.version, queries * 2)) == ["a", "b", "c"] * 2
            with pytest.raises(asyncpg.DivisionByZeroError):
                await marts.version(fails)
            assert marts._looks == {}

    asyncio.run(main())
