"""A read replica: what it may answer, and what it may not."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from core.database import Database
from core.settings import Settings
from tests.api.conftest import Served, served
from tests.api.processes import wait_until
from tests.conftest import PUBLISHED, Postgres
from tests.standby import Standby, replicated

pytestmark = pytest.mark.slow

PATHS = ("/api/overview", "/api/tutors?limit=5", "/api/calibration", "/api/fairness")


@dataclass(frozen=True)
class Pair:
    """An API that reads from a standby, and one on the same database that does not."""

    replicated: httpx2.Client
    plain: httpx2.Client
    standby: Standby
    database: Database

    def reads(self, by: str) -> float:
        name = f'tutorq_published_reads_total{{by="{by}"}} '
        lines = self.replicated.get("/metrics").text.splitlines()
        return next((float(line.removeprefix(name)) for line in lines if line.startswith(name)), 0)

    def generation(self) -> int | None:
        """Of the standby, as its check says."""
        generation: int | None = self.check()["generation"]
        return generation

    def check(self) -> Any:
        return self.replicated.get("/api/health").json()["checks"]["read_replica"]

    def is_read_from_the_standby(self) -> bool:
        before = self.reads("replica")
        assert self.replicated.get("/api/overview").status_code == 200
        return self.reads("replica") > before


@pytest.fixture(scope="module")
def pair(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    home = tmp_path_factory.mktemp("replica")
    source = postgres.new_database(home, PUBLISHED)
    with ExitStack() as stack:
        url, standby = stack.enter_context(replicated(home / "servers", source.url, "tutorq"))
        database = Database(Settings(home=home, database_url=url))
        # What is in memory is read nowhere.
        changes = {"daemon_silent_seconds": 86_400, "ingest_rate_per_second": 1_000_000, "answer_memory_mib": 0}
        clients = []
        for name, read_url in (("replicated", standby.url("tutorq")), ("plain", None)):
            api: Served = stack.enter_context(served(database, home, read_database_url=read_url, **changes))
            clients.append(stack.enter_context(api.client(api.key)))
            assert (clients[-1].get("/api/health").json()["checks"]["read_replica"] is None) == (name == "plain")
        yield Pair(*clients, standby, database)


def some_tutor(pair: Pair) -> str:
    [row] = pair.plain.get("/api/tutors?limit=1&sort_by=name").json()["data"]
    return str(row["tutor_id"])


def sessions_of(answer: httpx2.Response) -> int:
    count: int = answer.json()["data"]["sessions_30d"]
    return count


def post(pair: Pair, tutor_id: str) -> None:
    """A session that changes the scores of the tutor, by the API that reads from the standby."""
    as_of = pair.plain.get("/api/overview").json()["meta"]["as_of"]
    body = {
        "session_id": uuid4().hex,
        "tutor_id": tutor_id,
        "student_id": "student-1",
        "scheduled_time": f"{as_of}T00:00:01Z",
        "status": "completed",
    }
    answer = pair.replicated.post("/api/sessions", json=body)
    assert answer.status_code == 202, answer.text


def test_a_standby_that_keeps_up_answers_what_the_primary_would(pair: Pair) -> None:
    wait_until(pair.is_read_from_the_standby)
    for path in PATHS:
        answer, plain = pair.replicated.get(path), pair.plain.get(path)
        assert answer.status_code == 200, path
        assert (answer.content, answer.headers["etag"]) == (plain.content, plain.headers["etag"]), path
        assert pair.replicated.get(path, headers={"If-None-Match": plain.headers["etag"]}).status_code == 304
    exported = [client.get("/api/tutors?format=csv").content for client in (pair.replicated, pair.plain)]
    assert exported[0] == exported[1]
    with pair.database.connect() as connection:
        sessions = connection.execute("select count(*) from pg_stat_replication").fetchone()
    assert sessions == (1,)


def test_what_was_acknowledged_is_read_however_far_the_standby_lags(pair: Pair) -> None:
    tutor_id = some_tutor(pair)
    path = f"/api/tutors/{tutor_id}"
    wait_until(pair.is_read_from_the_standby)
    before = pair.replicated.get(path)
    pair.standby.pause()
    try:
        behind = pair.reads("primary_as_behind")
        post(pair, tutor_id)
        after = pair.replicated.get(path)
        assert after.headers["etag"] != before.headers["etag"]
        assert sessions_of(after) == sessions_of(before) + 1
        assert after.content == pair.plain.get(path).content
        assert pair.reads("primary_as_behind") == behind + 1
        # Whoever has the older answer is not told that it is still right.
        again = pair.replicated.get(path, headers={"If-None-Match": before.headers["etag"]})
        assert (again.status_code, again.content) == (200, after.content)
    finally:
        pair.standby.go_on()
    wait_until(pair.is_read_from_the_standby)
    assert pair.replicated.get(path).content == after.content


def test_sessions_that_came_without_a_new_version_are_read(pair: Pair) -> None:
    """As of a batch that is left to the run to be scored."""
    paths = ("/api/sessions/today", "/api/sessions/upcoming", "/api/matching/students?limit=1")
    wait_until(pair.is_read_from_the_standby)
    pair.standby.pause()
    try:
        with pair.database.connect() as connection:
            connection.execute(
                "update raw.sessions set scheduled_time = scheduled_time + interval '1 minute' "
                "where scheduled_time >= (select as_of from intermediate.int_as_of)"
            )
        for path in paths:
            before = pair.reads("replica")
            answer = pair.replicated.get(path)
            assert answer.status_code == 200, path
            assert answer.content == pair.plain.get(path).content, path
            assert pair.reads("replica") == before, path
    finally:
        pair.standby.go_on()


def test_each_post_is_read_at_once_while_the_standby_streams(pair: Pair) -> None:
    tutor_id = some_tutor(pair)
    path = f"/api/tutors/{tutor_id}"
    seen = sessions_of(pair.replicated.get(path))
    for number in range(1, 51):
        post(pair, tutor_id)
        assert sessions_of(pair.replicated.get(path)) == seen + number


def test_a_standby_that_is_away_fails_nothing_and_comes_back_by_itself(pair: Pair) -> None:
    wait_until(pair.is_read_from_the_standby)
    pair.standby.stop()
    try:
        for path in PATHS:
            assert pair.replicated.get(path).content == pair.plain.get(path).content, path
        wait_until(lambda: pair.check()["status"] == "degraded")
        assert pair.replicated.get("/api/health").status_code == 200
        assert pair.reads("primary_as_away") >= 1
    finally:
        pair.standby.start()
    wait_until(pair.is_read_from_the_standby)
    wait_until(lambda: pair.check()["status"] == "ok")
