"""Single posts: what is taken and what is refused, one commit for many, and nothing lost."""

import asyncio
import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx2
import hypothesis.strategies as st
import pytest
from hypothesis import given

from api.key_ring import Caller
from api.limits import MemoryBuckets, RateLimit
from api.problems import ApiError, BusyError, TooManyRequestsError
from api.sessions.endpoints import MOST_BYTES
from api.sessions.ledger import Ledger, Post
from api.sessions.writer import SessionWriter
from core import keys
from core.database import Database, DatabaseRole
from core.roles import Role
from core.settings import PROJECT_ROOT
from ingest import load_folder
from ingest.contract import RESCHEDULES, SESSIONS
from ingest.ids import entity_uuid
from ingest.rows import Row, check
from tests.api.conftest import ZONE, Served, served
from tests.api.test_problems import problem
from tests.examples import examples

if TYPE_CHECKING:
    from tests.conftest import Postgres

START_SECONDS = 20


@pytest.fixture(scope="module")
def client(intake: Served) -> Iterator[httpx2.Client]:
    with intake.client(intake.key) as client:
        yield client


def session(session_id: str, **changes: Any) -> dict[str, Any]:
    """The body of a completed session."""
    return {
        "session_id": session_id,
        "tutor_id": "t1",
        "student_id": "p1",
        "scheduled_time": "2026-01-05T10:00:00Z",
        "status": "completed",
        **changes,
    }


def rows(database: Database, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    with database.connect() as connection:
        return connection.execute(query.encode(), parameters).fetchall()


def empty(database: Database) -> None:
    with database.connect() as connection:
        for table in ("reschedules", "sessions", "tutors", "students", "quarantine", "changes"):
            connection.execute(f"delete from raw.{table}".encode())


def post(client: httpx2.Client, body: object, **headers: str) -> httpx2.Response:
    return client.post("/api/sessions", json=body, headers=headers)


def test_a_session_arrives_whole(intake: Served, client: httpx2.Client) -> None:
    body = session(
        " whole ",
        status="rescheduled",
        subject="math",
        booked_at="2026-01-01",
        completed_time=None,
        started_at="2026-01-05T10:04:00Z",
        cancelled_at="2026-01-05T11:00",
        duration_minutes=60.0,
        rating=4.005,
        initiator="tutor",
        reason_code=" power_cut",
        technical_issue="Yes",
        updated_at="2026-01-05T12:00:00.123456789Z",
        reschedule_info={
            "initiator": "tutor",
            "reason_code": "ill",
            "reason": "flu ",
            "cancelled_at": "2026-01-04 10:00",
            "original_time": "2026-01-05T10:00Z",
        },
    )
    response = post(client, body)
    assert (response.status_code, response.json()) == (202, {"session_id": "whole", "status": "queued"})
    [stored] = rows(intake.database, f"select {CONTENT['sessions']} from raw.sessions where external_id = 'whole'")
    values = dict(zip(CONTENT["sessions"].split(", "), map(str, stored), strict=True))
    assert values == {
        "session_id": str(entity_uuid("whole")),
        "external_id": "whole",
        "tutor_id": str(entity_uuid("t1")),
        "student_id": str(entity_uuid("p1")),
        "scheduled_time": "2026-01-05 10:00:00+00:00",
        "status": "rescheduled",
        "subject": "math",
        "booked_at": "2025-12-31 23:00:00+00:00",
        "started_at": "2026-01-05 10:04:00+00:00",
        "completed_time": "None",
        "cancelled_at": "2026-01-05 10:00:00+00:00",
        "duration_minutes": "60",
        "rating": "4.01",
        "initiator": "tutor",
        "reason_code": "power_cut",
        "technical_issue": "True",
        "lesson_id": "None",
        "updated_at": "2026-01-05 12:00:00.123456+00:00",
    }
    [moved] = rows(
        intake.database,
        "select initiator, reason_code, reason, requested_at::text, original_time::text, new_time, updated_at::text"
        " from raw.reschedules where session_id = %s",
        entity_uuid("whole"),
    )
    assert moved == (
        "tutor",
        "ill",
        "flu",
        "2026-01-04 09:00:00+00",
        "2026-01-05 10:00:00+00",
        None,
        "2026-01-05 12:00:00.123456+00",
    )
    people = "select external_id, is_stub from raw.{} where external_id in ('t1', 'p1')"
    assert rows(intake.database, people.format("tutors")) == [("t1", True)]
    assert rows(intake.database, people.format("students")) == [("p1", True)]
    changed = rows(intake.database, "select count(*) from raw.changes where entity_id = %s", entity_uuid("whole"))
    assert changed == [(2,)]  # the session, and its reschedule


@pytest.mark.parametrize(
    ("info", "requested_at"),
    [
        ({"hours_before_session": 5.5}, "2026-01-05 04:30:00+00"),
        ({"hours_before_session": -1, "original_time": "2026-01-04T10:00Z"}, "2026-01-04 11:00:00+00"),
        ({"hours_before_session": 2e-293}, "2026-01-05 10:00:00+00"),
        ({"hours_before_session": 5, "requested_at": "2026-01-01T00:00Z"}, "2026-01-01 00:00:00+00"),
        ({}, None),
    ],
)
def test_the_time_of_the_request_may_be_told_in_hours(
    intake: Served, client: httpx2.Client, info: dict[str, Any], requested_at: str | None
) -> None:
    name = str(uuid4())
    body = session(name, status="rescheduled", reschedule_info={"initiator": "student", **info})
    assert post(client, body).status_code == 202
    stored = rows(intake.database, "select requested_at::text from raw.reschedules where session_id = %s", name)
    assert stored == [(requested_at,)]


def test_the_same_again_or_an_older_version_changes_nothing(intake: Served, client: httpx2.Client) -> None:
    new = session("versions", rating=5, updated_at="2026-01-06T00:00:00Z")
    receipt = {"session_id": "versions", "status": "queued"}
    assert post(client, new).json() == receipt
    before = rows(intake.database, "select xmin, loaded_at, rating from raw.sessions where external_id = 'versions'")
    changes = rows(intake.database, "select count(*) from raw.changes")
    older = session("versions", rating=2, updated_at="2026-01-05T00:00:00Z")
    stale = {"stale": True, "stored_updated_at": "2026-01-06T00:00:00+00:00"}
    for again, said in ((new, {"duplicate": True}), (older, stale), (session("versions"), stale)):
        response = post(client, again)
        assert (response.status_code, response.json()) == (202, receipt | said)
    after = rows(intake.database, "select xmin, loaded_at, rating from raw.sessions where external_id = 'versions'")
    assert after == before
    assert rows(intake.database, "select count(*) from raw.changes") == changes
    newer = session("versions", rating=3, updated_at="2026-01-07T00:00:00Z")
    assert post(client, newer).json() == receipt
    assert rows(intake.database, "select rating from raw.sessions where external_id = 'versions'") == [(3,)]


def test_every_move_of_a_session_is_kept(intake: Served, client: httpx2.Client) -> None:
    def posted(updated_at: str, **move: str) -> dict[str, Any]:
        info = {"initiator": "tutor", **move}
        body = session("moved", status="rescheduled", updated_at=updated_at, reschedule_info=info)
        receipt: dict[str, Any] = post(client, body).json()
        return receipt

    moves = "select initiator, reason from raw.reschedules where session_id = %s order by move_time"
    first, second = "2026-01-02T10:00:00Z", "2026-01-03T10:00:00Z"
    queued = {"session_id": "moved", "status": "queued"}
    assert posted("2026-01-03T11:00:00Z", requested_at=second) == queued
    # Another one, although its session is older than what is stored.
    assert posted("2026-01-02T11:00:00Z", requested_at=first) == queued
    assert rows(intake.database, moves, entity_uuid("moved")) == [("tutor", None), ("tutor", None)]
    assert posted("2026-01-03T11:00:00Z", requested_at=second) == queued | {"duplicate": True}
    assert posted("2026-01-02T11:00:00Z", requested_at=first)["stale"] is True
    corrected = posted("2026-01-04T11:00:00Z", requested_at=first, initiator="student", reason="exam")
    assert corrected == queued
    assert rows(intake.database, moves, entity_uuid("moved")) == [("student", "exam"), ("tutor", None)]
    # Where nobody knows when it was asked for, the time that was moved tells it apart.
    assert posted("2026-01-04T11:00:00Z", original_time="2026-01-05T10:00:00Z", reason="ill") == queued
    assert posted("2026-01-04T11:00:00Z", reason="?") == queued
    kept = [("tutor", "?"), ("student", "exam"), ("tutor", None), ("tutor", "ill")]
    assert rows(intake.database, moves, entity_uuid("moved")) == kept


def test_a_contradiction_goes_to_quarantine_whichever_comes_first(intake: Served, client: httpx2.Client) -> None:
    four, five = ({"rating": rating, "updated_at": "2026-01-06T00:00:00Z"} for rating in (4, 5))
    assert "conflict" not in post(client, session("win", **five)).json()
    lost = post(client, session("win", **four)).json()
    assert lost == {
        "session_id": "win",
        "status": "queued",
        "conflict": True,
        "stored_updated_at": "2026-01-06T00:00:00+00:00",
    }
    assert post(client, session("lose", **four)).json() == {"session_id": "lose", "status": "queued"}
    assert post(client, session("lose", **five)).json() == {"session_id": "lose", "status": "queued"}
    query = (
        "select content::json ->> 'session_id', (content::json ->> 'rating')::float, line, reason"
        " from raw.quarantine where source = 'api' and content like %s order by 1"
    )
    found = rows(intake.database, query, '%"updated_at": "2026-01-06%')
    assert [(name, rating, line) for name, rating, line, _ in found] == [("lose", 4.0, 0), ("win", 4.0, 0)]
    assert all("same updated_at" in reason for *_, reason in found)
    stored = rows(intake.database, "select rating from raw.sessions where external_id in ('win', 'lose')")
    assert stored == [(5,), (5,)]
    # Once more is the same contradiction, not another one.
    post(client, session("win", **four))
    assert len(rows(intake.database, query, '%"updated_at": "2026-01-06%')) == 2


@pytest.fixture(scope="module")
def patient(postgres: "Postgres", tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An API that waits long for other writers."""
    home = tmp_path_factory.mktemp("patient")
    with served(postgres.new_database(home), home, ingest_commit_seconds=60) as api:
        yield api


OTHERS_VERSION = """
insert into raw.sessions (session_id, external_id, tutor_id, student_id, scheduled_time, status, rating, updated_at)
values (%s, %s, %s, %s, '2026-01-05 10:00+00', 'completed', 4, '2026-01-09 00:00+00')
on conflict (session_id) do update set rating = excluded.rating, updated_at = excluded.updated_at
"""


@pytest.mark.parametrize("is_new", [True, False], ids=["inserted", "updated"])
@pytest.mark.parametrize(("rating", "kept", "lost"), [(5, 5, [4]), (3, 4, [3]), (4, 4, [])])
def test_a_contradiction_that_is_committed_meanwhile_is_kept_as_well(
    patient: Served, rating: int, kept: int, lost: list[int], *, is_new: bool
) -> None:
    """The post waits for another writer of its session, whose version no snapshot of the post can hold."""
    name, database = f"meanwhile-{rating}-{is_new}", patient.database
    with patient.client(patient.key) as client:
        # The people, and the session if it is to be there before.
        post(client, session(f"before-{name}" if is_new else name, updated_at="2026-01-02T00:00:00Z"))
        with database.connect() as other, ThreadPoolExecutor(1) as pool:
            other.execute(OTHERS_VERSION, [entity_uuid(name), name, entity_uuid("t1"), entity_uuid("p1")])
            answer = pool.submit(post, client, session(name, rating=rating, updated_at="2026-01-09T00:00:00Z"))
            waiting = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
            while not rows(database, waiting):
                assert not answer.done()
                time.sleep(0.01)
            other.commit()
            receipt = answer.result().json()
    assert receipt.get("duplicate", False) == (rating == 4)
    assert receipt.get("conflict", False) == (rating == 3)
    assert rows(database, "select rating from raw.sessions where external_id = %s", name) == [(kept,)]
    quarantined = rows(
        database,
        "select (content::json ->> 'rating')::float from raw.quarantine where content::json ->> 'session_id' = %s",
        name,
    )
    assert quarantined == [(rating,) for rating in lost]


INVALID: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({"status": "lost"}, {"status": "lost is not one of scheduled, completed, rescheduled, cancelled, no_show"}),
    ({"status": None}, {"status": "is missing"}),
    ({"session_id": "NULL"}, {"session_id": "is missing: NULL is a word for an empty cell"}),
    ({"session_id": " ", "rating": 9}, {"session_id": "is missing", "rating": "9 is not between 1 and 5"}),
    ({"session_id": True}, {"session_id": "must be a string"}),
    ({"session_id": 1.5}, {"session_id": "must be a string"}),
    ({"session_id": 10**400}, {"session_id": "is too large"}),
    (
        {"started_at": "2026-01-05T10:04:00Z", "completed_time": "2026-01-05T11:03:00+01:00"},
        {
            "started_at": "2026-01-05T10:04:00Z is after completed_time",
            "completed_time": "2026-01-05T11:03:00+01:00 is before started_at",
        },
    ),
    ({"session_id": "x" * 201}, {"session_id": f"{'x' * 60}… is longer than 200 characters"}),
    ({"subject": "a\0b"}, {"subject": "contains a NUL character"}),
    ({"subject": 5}, {"subject": "must be a string"}),
    ({"rating": "good"}, {"rating": "good is not a number"}),
    ({"rating": [4]}, {"rating": "must be a number"}),
    ({"technical_issue": 1}, {"technical_issue": "must be true or false"}),
    ({"technical_issue": "perhaps"}, {"technical_issue": "perhaps is neither true nor false"}),
    ({"duration_minutes": 1.5}, {"duration_minutes": "1.5 is not a whole number"}),
    (
        {"scheduled_time": "2026-02-30"},
        {"scheduled_time": "2026-02-30 is not an ISO 8601 time such as 2026-01-31T15:00:00Z"},
    ),
    ({"scheduled_time": "1950-01-01"}, {"scheduled_time": "1950-01-01 is not between the years 1970 and 2100"}),
    ({"colour": "red", "rating": 9}, {"colour": "there is no such field", "rating": "9 is not between 1 and 5"}),
    ({"status": "rescheduled"}, {"reschedule_info": "is required when status is rescheduled"}),
    ({"reschedule_info": "ill"}, {"reschedule_info": "is not a JSON object"}),
    (
        {"reschedule_info": {"who": "tutor", "requested_at": "soon", "session_id": "x"}},
        {
            "reschedule_info.initiator": "is missing",
            "reschedule_info.who": "there is no such field",
            "reschedule_info.session_id": "there is no such field",
            "reschedule_info.requested_at": "soon is not an ISO 8601 time such as 2026-01-31T15:00:00Z",
        },
    ),
    (
        {"reschedule_info": {"initiator": "tutor", "requested_at": "2026-01-01", "cancelled_at": "2026-01-02"}},
        {"reschedule_info.cancelled_at": "differs from requested_at, of which it is another name"},
    ),
    (
        {"scheduled_time": "1970-01-02", "reschedule_info": {"initiator": "tutor", "hours_before_session": 50}},
        {"reschedule_info.hours_before_session": "leads to a time outside 1970 to 2100"},
    ),
]


@pytest.mark.parametrize(("changes", "errors"), INVALID)
def test_every_wrong_field_is_named_once(
    client: httpx2.Client, changes: dict[str, Any], errors: dict[str, str]
) -> None:
    found = problem(post(client, session("invalid") | changes), 400)
    assert found.type == "urn:tutorq:problem:invalid-request"
    assert found.errors is not None
    assert sorted((error.field, error.message) for error in found.errors) == sorted(errors.items())


@pytest.mark.parametrize("body", [b"", b"{", b'{"session_id": NaN}', b"\xff", b"[]", b"null", b'{"a": "\\ud800"}'])
def test_a_body_that_is_no_json_object(client: httpx2.Client, body: bytes) -> None:
    response = client.post("/api/sessions", content=body, headers={"Content-Type": "application/json"})
    assert [error.field for error in problem(response, 400).errors or []] == ["body"]


def test_types_and_sizes_of_bodies(intake: Served, client: httpx2.Client) -> None:
    good = json.dumps(session("typed")).encode()
    for kind in ("text/plain", "application/x-ndjson", ""):
        problem(client.post("/api/sessions", content=good, headers={"Content-Type": kind}), 415)
    headers = {"Content-Type": "application/json; charset=utf-8"}
    padded = good + b" " * (MOST_BYTES - len(good))
    assert client.post("/api/sessions", content=padded, headers=headers).status_code == 202
    problem(client.post("/api/sessions", content=padded + b" ", headers=headers), 413)

    long = session("long", subject=500 * "😀", status="rescheduled")
    long["reschedule_info"] = {"initiator": "tutor", "reason_code": 500 * "😀", "reason": 10_000 * "😀"}
    assert client.post("/api/sessions", content=json.dumps(long), headers=headers).status_code == 202

    def endless() -> Iterator[bytes]:
        for _ in range(1000):
            yield b" " * 1024

    # Without a Content-Length; the server refuses before it has read it all, and may hang up on who goes on sending.
    with suppress(httpx2.TransportError):
        problem(client.post("/api/sessions", content=endless(), headers=headers), 413)
    assert client.get("/api/health").status_code in (200, 503)


@pytest.mark.parametrize(("role", "status"), [(None, 401), (Role.READ, 403), (Role.INGEST, 202), (Role.ADMIN, 202)])
def test_who_may_post(intake: Served, role: Role | None, status: int) -> None:
    secret = None
    if role is not None:
        with intake.database.connect() as connection:
            secret = keys.create(connection, f"{role}-{uuid4()}", role).secret
    with intake.client(secret) as client:
        assert post(client, session("allowed")).status_code == status


def test_an_idempotency_key_gets_its_first_answer(intake: Served, client: httpx2.Client) -> None:
    first = post(client, session("once"), **{"Idempotency-Key": "a"})
    again = post(client, session("once"), **{"Idempotency-Key": "a"})
    assert (again.status_code, again.content) == (202, first.content)
    assert "duplicate" not in again.json()
    assert post(client, session("once"), **{"Idempotency-Key": "b"}).json()["duplicate"] is True
    mismatch = problem(post(client, session("once", rating=1), **{"Idempotency-Key": "a"}), 422)
    assert mismatch.type == "urn:tutorq:problem:idempotency-mismatch"
    elsewhere = client.post("/api/sessions/batch", json=session("once"), headers={"Idempotency-Key": "a"})
    assert elsewhere.status_code in (400, 422)
    problem(post(client, session("once"), **{"Idempotency-Key": "x" * 256}), 400)
    # A refused request is not remembered.
    problem(post(client, session("other", rating=9), **{"Idempotency-Key": "c"}), 400)
    assert post(client, session("other"), **{"Idempotency-Key": "c"}).status_code == 202
    # After a day the key is free again, and of another API key it always was.
    with intake.database.connect() as connection:
        connection.execute("update app.idempotency_keys set created_at = created_at - interval '25 hours'")
        secret = keys.create(connection, "another", Role.INGEST).secret
    assert post(client, session("once", rating=2), **{"Idempotency-Key": "a"}).status_code == 202
    with intake.client(secret) as another:
        assert post(another, session("once", rating=3), **{"Idempotency-Key": "a"}).status_code == 202


def test_concurrent_requests_of_one_idempotency_key(intake: Served) -> None:
    bodies = [session("raced"), session("raced", rating=1)]
    with intake.client(intake.key) as client, ThreadPoolExecutor(12) as pool:
        tasks = [pool.submit(post, client, bodies[at % 2], **{"Idempotency-Key": "race"}) for at in range(12)]
        answers = [task.result() for task in tasks]
    statuses = [answer.status_code for answer in answers]
    assert sorted(set(statuses)) == [202, 422]
    # One of the two bodies won, and all its senders got the same answer.
    assert len({at % 2 for at, status in enumerate(statuses) if status == 202}) == 1
    assert {answer.content for answer in answers if answer.status_code == 202} == {
        b'{"session_id": "raced", "status": "queued"}'
    }


def test_64_clients_share_commits(intake: Served) -> None:
    empty(intake.database)
    names = [f"many-{at}" for at in range(512)]

    async def send() -> list[int]:
        limits = httpx2.Limits(max_connections=64)
        async with httpx2.AsyncClient(
            base_url=intake.base_url, headers={"X-API-Key": intake.key}, timeout=30, verify=False, limits=limits
        ) as client:
            waiting = iter(names)

            async def one_client() -> list[int]:
                return [(await client.post("/api/sessions", json=session(name))).status_code for name in waiting]

            return list(chain.from_iterable(await asyncio.gather(*(one_client() for _ in range(64)))))

    assert asyncio.run(send()) == [202] * 512
    [(stored, distinct, commits)] = rows(
        intake.database,
        "select count(*), count(distinct external_id), count(distinct xmin::text)"
        " from raw.sessions where external_id like 'many-%%'",
    )
    assert (stored, distinct) == (512, 512)
    assert commits < 256


@contextmanager
def poison(database: Database, subject: str) -> Iterator[None]:
    """Let the database refuse sessions of a subject, as a check might that the contract does not know."""
    with database.connect(autocommit=True) as connection:
        connection.execute(
            f"alter table raw.sessions add constraint poison check (subject is distinct from '{subject}')".encode()
        )
        try:
            yield
        finally:
            connection.execute("alter table raw.sessions drop constraint poison")


def test_a_poisoned_row_fails_alone(intake: Served) -> None:
    empty(intake.database)
    bodies = [session(f"n-{at}", subject="poison" if at % 16 == 5 else "math") for at in range(64)]
    bodies += [session(f"n-{at}", subject="poison", tutor_id=f"only-{at}") for at in range(64, 66)]
    with poison(intake.database, "poison"), intake.client(intake.key) as client, ThreadPoolExecutor(66) as pool:
        statuses = list(pool.map(lambda body: post(client, body).status_code, bodies))
    assert statuses == [500 if body["subject"] == "poison" else 202 for body in bodies]
    [(stored,)] = rows(intake.database, "select count(*) from raw.sessions")
    assert stored == statuses.count(202)
    # The stub of a tutor goes with the row that named it, and comes with the next one.
    assert rows(intake.database, "select count(*) from raw.tutors where external_id like 'only-%%'") == [(0,)]
    with intake.client(intake.key) as client:
        assert post(client, session("n-64", tutor_id="only-64")).status_code == 202


def test_a_tutor_deleted_meanwhile_is_added_again(intake: Served, client: httpx2.Client) -> None:
    assert post(client, session("d1", tutor_id="gone")).status_code == 202
    with intake.database.connect() as connection:
        connection.execute("delete from raw.sessions where tutor_id = %s", (entity_uuid("gone"),))
        connection.execute("delete from raw.tutors where tutor_id = %s", (entity_uuid("gone"),))
    assert post(client, session("d2", tutor_id="gone")).status_code == 202


@contextmanager
def locked(database: Database, statement: str) -> Iterator[None]:
    """Hold the locks of a statement, as another writer would."""
    with database.connect() as connection:
        connection.execute(statement.encode())
        yield
        connection.rollback()


def test_who_waits_for_a_lock_holds_up_nobody_for_long(postgres: "Postgres", tmp_path: Path) -> None:
    database = postgres.new_database(tmp_path)
    with served(database, tmp_path, ingest_commit_seconds=2) as api, api.client(api.key) as client:
        assert post(client, session("held")).status_code == 202
        with (
            locked(database, "update raw.sessions set subject = 'x' where external_id = 'held'"),
            ThreadPoolExecutor(9) as pool,
        ):
            bodies = [session("held", rating=1), *(session(f"free-{at}") for at in range(8))]
            answers = list(pool.map(lambda body: post(client, body), bodies))
        assert problem(answers[0], 503).type == "urn:tutorq:problem:busy"
        assert [answer.status_code for answer in answers[1:]] == [202] * 8
        assert post(client, session("held", rating=1)).status_code == 202


def test_a_slow_database_means_503_and_a_bounded_queue(postgres: "Postgres", tmp_path: Path) -> None:
    database = postgres.new_database(tmp_path)
    changes = {"ingest_commit_seconds": 1, "ingest_queue_rows": 8}
    with served(database, tmp_path, **changes) as api, api.client(api.key) as client:
        with locked(database, "lock table raw.sessions in access exclusive mode"), ThreadPoolExecutor(40) as pool:
            started = time.monotonic()
            answers = list(pool.map(lambda at: post(client, session(f"slow-{at}")), range(40)))
            took = time.monotonic() - started
        assert {answer.status_code for answer in answers} == {503}
        assert {answer.headers["retry-after"] for answer in answers} <= {"1", "5"}
        details = [answer.json()["detail"] for answer in answers]
        assert "Too many sessions wait to be written." in details
        assert took < 6
        # Nothing of it is left behind, and the next one is taken.
        assert post(client, session("after")).status_code == 202
        assert rows(database, "select external_id from raw.sessions where external_id = 'after'") == [("after",)]


def test_the_rate_limit_counts_rows_per_key(postgres: "Postgres", tmp_path: Path) -> None:
    database = postgres.new_database(tmp_path)
    with served(database, tmp_path, ingest_rate_per_second=2) as api, api.client(api.key) as client:
        answers = [post(client, session(f"r-{at}")) for at in range(8)]
        assert [answer.status_code for answer in answers[:4]] == [202] * 4
        late = problem(answers[-1], 429)
        assert late.title == "Rate limit exceeded"
        assert int(answers[-1].headers["retry-after"]) >= 1
        with database.connect() as connection:
            other = keys.create(connection, "other", Role.INGEST).secret
        with api.client(other) as another:
            batch = another.post("/api/sessions/batch", json=[session(f"b-{at}") for at in range(30)])
            assert batch.json()["queued"] == 30  # may overdraw,
            refused = problem(post(another, session("r")), 429)  # and pays for it
            assert refused.detail == "It may send 2 rows a second."


def test_a_bucket_fills_with_time() -> None:
    now = 0.0
    limit = RateLimit(MemoryBuckets(lambda: now), 10)
    caller = Caller(1, "one", Role.INGEST)

    def spend(rows: int = 1) -> None:
        asyncio.run(limit.spend(caller, rows))

    for _ in range(20):
        spend()
    with pytest.raises(TooManyRequestsError):
        spend()
    now = 0.1
    spend(31)
    with pytest.raises(TooManyRequestsError) as refused:
        spend()
    assert refused.value.headers == {"Retry-After": "4"}
    now = 1000.0
    for _ in range(20):
        spend()
    with pytest.raises(TooManyRequestsError):
        spend()


class _Stuck(Ledger):
    """A ledger that writes nothing until it is told to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.sizes: list[int] = []

    async def write(self, posts: Sequence[Post]) -> list[str | ApiError]:
        self.sizes.append(len(posts))
        await self.go.wait()
        return ["{}"] * len(posts)


def test_the_queue_is_bounded_in_rows_and_bytes() -> None:
    async def main() -> list[int]:
        ledger = _Stuck()
        writer = SessionWriter(ledger, "UTC", most_waiting=300)
        running = asyncio.create_task(writer.run())
        first = asyncio.create_task(writer.submit(session("0"), 10))
        await asyncio.sleep(0.05)
        others = [asyncio.create_task(writer.submit(session(str(at)), 10)) for at in range(300)]
        await asyncio.sleep(0.05)
        with pytest.raises(BusyError):
            await writer.submit(session("x"), 10)
        ledger.go.set()
        await asyncio.gather(first, *others)
        ledger.go.clear()
        heavy = [asyncio.create_task(writer.submit(session(str(at)), 6 << 20)) for at in range(1)]
        await asyncio.sleep(0.05)
        heavy += [asyncio.create_task(writer.submit(session(str(at)), 6 << 20)) for at in range(3)]
        await asyncio.sleep(0.05)
        with pytest.raises(BusyError):
            writer.require_room()
        ledger.go.set()
        await asyncio.gather(*heavy)
        running.cancel()
        return ledger.sizes

    assert asyncio.run(main()) == [1, 300, 1, 3]


def test_an_unexpected_failure_does_not_end_the_writer() -> None:
    class Broken(_Stuck):
        async def write(self, posts: Sequence[Post]) -> list[str | ApiError]:
            if not self.sizes:
                self.sizes.append(1)
                raise ZeroDivisionError
            return ["{}"] * len(posts)

    async def main() -> None:
        writer = SessionWriter(Broken(), "UTC", most_waiting=10)
        running = asyncio.create_task(writer.run())
        with pytest.raises(ApiError) as failed:
            await writer.submit(session("1"), 1)
        assert failed.value.status == 500
        assert await writer.submit(session("2"), 1) == "{}"
        running.cancel()

    asyncio.run(main())


CONTENT = {
    "tutors": "tutor_id, external_id, name, is_stub",
    "students": "student_id, external_id, name, is_stub",
    "sessions": "session_id, external_id, tutor_id, student_id, scheduled_time, status, subject, booked_at, started_at,"
    " completed_time, cancelled_at, duration_minutes, rating, initiator, reason_code, technical_issue, lesson_id,"
    " updated_at",
    "reschedules": "session_id, initiator, reason_code, reason, requested_at, original_time, new_time, updated_at",
}
_ids = st.sampled_from(["s1", "s2", str(entity_uuid("s1")), str(entity_uuid("s2")).upper()])
_times = st.sampled_from(["2026-01-05T10:00:00Z", "2026-01-05 11:00", "2026-01-06"])
_maybe_times = st.one_of(st.none(), _times)
_info = st.fixed_dictionaries(
    {"initiator": st.sampled_from(["tutor", "student"])},
    optional={
        "reason": st.sampled_from(["ill", "'; \\ö", ""]),
        "requested_at": _maybe_times,
        "new_time": _maybe_times,
    },
)
_post = st.fixed_dictionaries(
    {
        "session_id": _ids,
        "tutor_id": st.sampled_from(["t1", "t2", str(entity_uuid("t1"))]),
        "student_id": st.sampled_from(["p1", str(entity_uuid("p1")).upper()]),
        "scheduled_time": _times,
        "status": st.sampled_from(["scheduled", "completed", "no_show"]),
    },
    optional={
        "rating": st.sampled_from([1, 4.005, "5.0", 2.675]),
        "duration_minutes": st.sampled_from([0, 60, "45.0"]),
        "initiator": st.sampled_from(["tutor", "student", None]),
        "started_at": _maybe_times,
        "technical_issue": st.sampled_from([True, False, "no", None]),
        "lesson_id": st.sampled_from(["l1", " l1 ", None]),
        "updated_at": _maybe_times,
        "reschedule_info": _info,
    },
)


def load_files(database: Database, folder: Path, bodies: Sequence[dict[str, Any]]) -> None:
    """The same sessions as landing files."""
    for path in folder.glob("*.csv"):
        path.unlink()
    sessions = [name for name in CONTENT["sessions"].replace(" ", "").split(",") if name != "external_id"]
    with (folder / "sessions.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, sessions, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(bodies)
    moved = [
        {**body["reschedule_info"], "session_id": body["session_id"], "updated_at": body.get("updated_at")}
        for body in bodies
        if body.get("reschedule_info")
    ]
    if moved:
        with (folder / "reschedules.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, CONTENT["reschedules"].replace(" ", "").split(","))
            writer.writeheader()
            writer.writerows(moved)
    assert load_folder(database.as_role(DatabaseRole.INGEST), folder, timezone=ZONE).errors == []


PEOPLE_BY_SQL = """
insert into raw.{table} as stored ({key}, external_id, is_stub) values (%s, %s, true)
on conflict ({key}) do update set external_id = excluded.external_id
where stored.external_id is null and excluded.external_id is not null
"""
# As docs/decisions/0004 has it.
ROW_BY_SQL = """
insert into raw.{table} as stored ({columns}) values ({values})
on conflict ({key}) do update set ({columns}) = row({incoming})
where raw.{row}_verdict(excluded, stored) in ('newer', 'fills', 'overrules')
"""


def write_by_sql(database: Database, bodies: Sequence[dict[str, Any]]) -> None:
    """The same sessions as somebody in psql writes them, far away from UTC."""
    with database.as_role(DatabaseRole.INGEST).connect() as connection:
        connection.execute("set timezone to 'Australia/Lord_Howe'")
        for row in check(bodies, ZONE):
            assert isinstance(row, Row)
            for table, key, person in (("tutors", "tutor_id", row.tutor), ("students", "student_id", row.student)):
                connection.execute(PEOPLE_BY_SQL.format(table=table, key=key).encode(), person)
            for entity, values in ((SESSIONS, row.session), (RESCHEDULES, row.reschedule)):
                if values is not None:
                    names = CONTENT[entity.name].replace(" ", "").split(",")
                    statement = ROW_BY_SQL.format(
                        table=entity.name,
                        row=entity.name.removesuffix("s"),
                        key=", ".join(entity.primary_key),
                        columns=", ".join(names),
                        values=", ".join(["%s"] * len(names)),
                        incoming=", ".join(f"excluded.{name}" for name in names),
                    )
                    connection.execute(statement.encode(), values)


def content(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    found = {
        table: rows(database, f"select {columns} from raw.{table} order by {columns}")
        for table, columns in CONTENT.items()
    }
    lost = rows(database, "select distinct entity, content from raw.quarantine order by 1, 2")
    return found | {"quarantine": lost}


@examples(12)
@given(bodies=st.lists(_post, min_size=1, max_size=8), data=st.data())
def test_posts_files_and_sql_give_the_same_content(
    intake: Served, client: httpx2.Client, tmp_path: Path, bodies: list[dict[str, Any]], data: st.DataObject
) -> None:
    def by_files(part: Sequence[dict[str, Any]]) -> None:
        load_files(intake.database, tmp_path, part)

    def one_by_one(part: Sequence[dict[str, Any]]) -> None:
        for body in part:
            assert post(client, body).status_code == 202

    def as_batch(part: Sequence[dict[str, Any]]) -> None:
        answer = client.post("/api/sessions/batch", json=list(part)).json()
        assert sum(answer[name] for name in ("queued", "duplicate", "stale", "conflict")) == len(part)

    empty(intake.database)
    by_files(bodies)
    expected = content(intake.database)
    expected.pop("quarantine")  # depends on the order: of three versions, each loser is compared with another winner
    by_sql = partial(write_by_sql, intake.database)
    ways: list[Callable[[Sequence[dict[str, Any]]], None]] = [by_files, one_by_one, as_batch, by_sql]
    for _ in range(2):
        empty(intake.database)
        shuffled = data.draw(st.permutations(bodies))
        cut = data.draw(st.integers(0, len(bodies)))
        for part in (shuffled[:cut], shuffled[cut:]):
            if part:
                data.draw(st.sampled_from(ways))(part)
        found = content(intake.database)
        found.pop("quarantine")
        assert found == expected


def test_parallel_workers_and_the_loader_do_not_deadlock(intake: Served, tmp_path: Path) -> None:
    empty(intake.database)
    bodies = [
        session(
            f"p-{at % 150}", tutor_id=f"t-{at % 7}", rating=1 + at % 5, updated_at=f"2026-01-{1 + at % 28:02}T12:00:00Z"
        )
        for at in range(600)
    ]
    reversed_bodies = bodies[::-1]
    with (
        served(intake.database, tmp_path, timezone=ZONE, ingest_rate_per_second=1_000_000) as second,
        intake.client(intake.key) as one,
        second.client(second.key) as two,
        ThreadPoolExecutor(17) as pool,
    ):
        folder = tmp_path / "landing"
        folder.mkdir()
        tasks: list[Any] = [pool.submit(load_files, intake.database, folder, bodies)]
        tasks += [pool.submit(post, one, body) for body in bodies[:150]]
        tasks += [pool.submit(two.post, "/api/sessions/batch", json=reversed_bodies) for _ in range(4)]
        tasks += [pool.submit(post, two, body) for body in reversed_bodies[:150]]
        answers = [task.result() for task in tasks[1:]]
        tasks[0].result()
    assert {answer.status_code for answer in answers} <= {200, 202}
    newest = rows(
        intake.database,
        "select to_char(updated_at, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') from raw.sessions where external_id = 'p-0'",
    )
    [(stored,)] = rows(intake.database, "select count(*) from raw.sessions")
    assert stored == 150
    assert newest == [(max(body["updated_at"] for body in bodies if body["session_id"] == "p-0"),)]


@pytest.mark.slow
def test_what_a_killed_process_acknowledged_is_stored(postgres: "Postgres", tmp_path: Path) -> None:
    database = postgres.new_database(tmp_path)
    with database.connect() as connection:
        key = str(keys.create(connection, "load", Role.INGEST).secret)
    acknowledged: list[str] = []
    sent = 0
    for round_ in range(2):
        with process(database, tmp_path) as (port, server):
            names = iter([f"{round_}-{at}" for at in range(100_000)])

            def send(port: int = port, names: Iterator[str] = names) -> int:
                count = 0
                with httpx2.Client(
                    base_url=f"http://127.0.0.1:{port}", headers={"X-API-Key": key}, verify=False
                ) as client:
                    for name in names:
                        try:
                            count += 1
                            if post(client, session(name)).status_code == 202:
                                acknowledged.append(name)
                        except httpx2.TransportError:
                            return count
                return count

            with ThreadPoolExecutor(8) as pool:
                senders = [pool.submit(send) for _ in range(8)]
                time.sleep(0.5)
                os.kill(server.pid, signal.SIGKILL)
                sent += sum(sender.result() for sender in senders)
    stored = [name for (name,) in rows(database, "select external_id from raw.sessions")]
    assert len(acknowledged) > 20
    assert set(acknowledged) <= set(stored)
    assert len(stored) == len(set(stored)) <= sent


@contextmanager
def process(database: Database, home: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """`python -m api` on a free port, as a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "TUTORQ_HOME": str(home),
        "TUTORQ_DATABASE_URL": database.url,
        "TUTORQ_API_PORT": str(port),
        "TUTORQ_INGEST_RATE_PER_SECOND": "1000000",
    }
    server = subprocess.Popen(
        [sys.executable, "-m", "api"], cwd=PROJECT_ROOT, env=environment, stdout=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield port, server
    finally:
        server.kill()
        server.wait()
