"""What was acknowledged is stored exactly once, whatever is killed meanwhile: API processes, backends of Postgres, and
Postgres itself."""

import http.client
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from core import dbt_runner, keys
from core.database import Database, DatabaseRole
from core.migrate import migrate
from core.roles import Role
from core.settings import PROJECT_ROOT, Settings
from ingest.ids import entity_uuid
from tests.e2e.processes import EmbeddedServer, free_port, wait_for
from tests.failures import keep_if_a_test_fails
from verify import verify

SEED = 20260630
AS_OF = datetime(2026, 6, 30, 23, tzinfo=UTC)
CLIENTS = 6
TUTORS, STUDENTS = 25, 60
START_SECONDS = 60
TRIES = 60
PAUSE_SECONDS = 0.2

Session = dict[str, Any]


class Servers:
    """Two API processes on one database, each of which may be killed and comes again on its port."""

    def __init__(self, settings: Settings) -> None:
        self.ports = [free_port(), free_port()]
        self._settings = settings
        self._processes = [self._start(port) for port in self.ports]
        for port in self.ports:
            wait_for(lambda port=port: _answers(port), START_SECONDS, lambda: "the API did not start")  # type: ignore[misc]

    def kill(self, at: int) -> None:
        """kill -9, and start it again."""
        self._processes[at].kill()
        self._processes[at].wait()
        self._processes[at] = self._start(self.ports[at])

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    def _start(self, port: int) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            **self._settings.as_environment(),
            "TUTORQ_API_PORT": str(port),
            "TUTORQ_INGEST_RATE_PER_SECOND": "1000000",
        }
        with (self._settings.home / f"api-{port}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "api"], cwd=PROJECT_ROOT, env=environment, stdout=log, stderr=log
            )


@dataclass
class Client(threading.Thread):
    """Posts made-up sessions until it is told to stop, and notes what became of each."""

    number: int
    ports: list[int]
    key: str
    stop: threading.Event
    sent: dict[str, Session] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    statuses: set[int] = field(default_factory=set)
    duplicates_of_keyed: int = 0

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self._chance = random.Random(f"{SEED}-{self.number}")

    def __hash__(self) -> int:
        return self.number

    def run(self) -> None:
        while not self.stop.is_set():
            # Some give up at once: these may be stored or not, but never twice.
            tries = 1 if self._chance.random() < 0.2 else TRIES
            if self._chance.random() < 0.15:
                self._post_batch([self._session() for _ in range(self._chance.randrange(1, 40))], tries)
            else:
                self._post_single(self._session(), tries)

    def _post_single(self, session: Session, tries: int) -> None:
        headers = {"Idempotency-Key": session["session_id"]} if self._chance.random() < 0.5 else {}
        answer = self._post("/api/sessions", session, headers, tries)
        if answer is not None:
            self.acknowledged.add(answer["session_id"])
            self.duplicates_of_keyed += bool(headers) and "duplicate" in answer

    def _post_batch(self, sessions: list[Session], tries: int) -> None:
        answer = self._post("/api/sessions/batch", sessions, {}, tries)
        for row in answer["rows"] if answer is not None else []:
            assert row["status"] in ("queued", "duplicate"), row
            self.acknowledged.add(row["session_id"])

    def _post(self, path: str, body: object, headers: dict[str, str], tries: int) -> Any:
        """The answer, if there is one that says that the sessions are stored."""
        headers = {"X-API-Key": self.key, "Content-Type": "application/json", **headers}
        for _ in range(tries):
            port = self._chance.choice(self.ports)
            try:
                with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
                    connection.request("POST", path, json.dumps(body), headers)
                    response = connection.getresponse()
                    content = response.read()
            except (OSError, http.client.HTTPException):
                time.sleep(PAUSE_SECONDS)
                continue
            self.statuses.add(response.status)
            if response.status in (200, 202):
                return json.loads(content)
            time.sleep(PAUSE_SECONDS)
        return None

    def _session(self) -> Session:
        chance = self._chance
        at = AS_OF - timedelta(minutes=chance.randrange(60 * 24 * 80))
        status = chance.choice(("completed", "completed", "completed", "no_show", "rescheduled"))
        session = {
            "session_id": f"S-{self.number}-{len(self.sent)}",
            "tutor_id": f"T-{chance.randrange(TUTORS)}",
            "student_id": f"P-{chance.randrange(STUDENTS)}",
            "scheduled_time": at.isoformat(),
            "status": status,
            "rating": chance.randint(2, 10) / 2,
            "initiator": chance.choice(("tutor", "student")),
            "updated_at": (at + timedelta(hours=1)).isoformat(),
        }
        if status == "rescheduled":
            hours = chance.randrange(100)
            session["reschedule_info"] = {"initiator": session["initiator"], "hours_before_session": hours}
        self.sent[session["session_id"]] = session
        return session


def _answers(port: int) -> bool:
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            connection.request("GET", "/api/health")
            return connection.getresponse().status in (200, 503)
    except OSError:
        return False


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A server of its own: this one dies."""
    keep_if_a_test_fails(tmp_path)
    database = Database(Settings(home=tmp_path, as_of=AS_OF.date().isoformat()))
    migrate(database)
    yield database
    database.release()


@pytest.mark.parametrize("kills", [3, pytest.param(9, marks=pytest.mark.soak)])
def test_nothing_acknowledged_is_lost_and_nothing_is_stored_twice(
    database: Database, tmp_path: Path, kills: int
) -> None:
    settings = Settings(home=tmp_path, database_url=database.url, as_of=AS_OF.date().isoformat())
    with database.connect() as connection:
        key = str(keys.create(connection, "load", Role.INGEST).secret)
    chance = random.Random(SEED)
    postgres = EmbeddedServer(database, tmp_path)
    stop = threading.Event()
    with ExitStack() as stack:
        servers = Servers(settings)
        stack.callback(servers.close)
        clients = [Client(number, servers.ports, key, stop) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        wait_for(lambda: all(client.acknowledged for client in clients), START_SECONDS, lambda: "nothing is accepted")
        servers.kill(0)
        dbt_runner.build(settings, database, exclude=["resource_type:test"])  # while sessions keep coming
        for turn in range(kills):
            time.sleep(chance.uniform(0.2, 0.8))
            if turn % 3 == 0:
                servers.kill(chance.randrange(2))
            elif turn % 3 == 1:
                postgres.kill_backend(chance)
            else:
                postgres.kill()
        postgres.wait()
        before = sum(len(client.acknowledged) for client in clients)
        wait_for(
            lambda: sum(len(client.acknowledged) for client in clients) > before + 50,
            START_SECONDS,
            lambda: "nothing is accepted any more",
        )
        stop.set()
        for client in clients:
            client.join(START_SECONDS)
            assert not client.is_alive()

    sent = {name: session for client in clients for name, session in client.sent.items()}
    acknowledged = {name for client in clients for name in client.acknowledged}
    assert {status for client in clients for status in client.statuses} <= {200, 202, 503}
    assert sum(client.duplicates_of_keyed for client in clients) == 0
    with database.connect() as connection:
        stored = connection.execute(
            "select external_id, session_id, rating, status, r.requested_at is not null"
            " from raw.sessions left join raw.reschedules as r using (session_id)"
        ).fetchall()
        quarantined = connection.execute("select count(*) from raw.quarantine").fetchone()
    names = [name for name, *_ in stored]
    assert acknowledged <= set(names) <= set(sent)
    assert len(names) == len(set(names))
    assert [row for row in stored if row != _expected(sent[row[0]])] == []
    assert quarantined == (0,)
    # The test would show nothing if nobody had been caught in the middle.
    assert len(acknowledged) > 200
    assert acknowledged != set(sent)

    dbt_runner.build(settings, database, exclude=["resource_type:test"])
    report = verify(database.as_role(DatabaseRole.TRANSFORM), settings=settings)
    assert report.ok, report.to_dict()
    assert report.tutors == TUTORS
    assert report.notes == ()


def _expected(session: Session) -> tuple[str, UUID, float, str, bool]:
    name = session["session_id"]
    return name, entity_uuid(name), session["rating"], session["status"], "reschedule_info" in session
