"""Batches: a result per row in order, good rows in, bad rows in quarantine, all in one transaction."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx2
import pytest

from api.sessions import batches
from api.sessions.schemas import BatchReceipt
from core import keys
from core.roles import Role
from ingest.contract import RESCHEDULES, SESSIONS
from ingest.ids import entity_uuid
from ingest.posts import SessionPost
from tests.api.conftest import Served
from tests.api.test_problems import problem
from tests.api.test_sessions import empty, locked, poison, rows, session

NDJSON = {"Content-Type": "application/x-ndjson"}
PATH = "/api/sessions/batch"


@pytest.fixture(scope="module")
def client(intake: Served) -> Iterator[httpx2.Client]:
    with intake.client(intake.key) as client:
        yield client


def ndjson(*bodies: object) -> bytes:
    return b"\n".join(body if isinstance(body, bytes) else json.dumps(body).encode() for body in bodies)


def test_every_row_has_its_result_in_order(intake: Served, client: httpx2.Client) -> None:
    empty(intake.database)
    assert client.post("/api/sessions", json=session("old")).status_code == 202
    bodies = [
        session("new"),
        session("bad", rating=9, colour="red"),
        session("old"),
        "no object",
        session("new"),
        {"session_id": 7},
        session("new", rating=5),
        session(42, status="rescheduled", reschedule_info={"initiator": "tutor", "hours_before_session": 2}),
    ]
    response = client.post(PATH, json=bodies)
    assert response.status_code == 200
    assert response.json() == {
        "queued": 2,
        "duplicate": 3,
        "stale": 0,
        "rejected": 3,
        "rows": [
            {"session_id": "new", "status": "duplicate", "conflict": True},
            {
                "session_id": "bad",
                "status": "rejected",
                "errors": [
                    {"field": "colour", "message": "there is no such field"},
                    {"field": "rating", "message": "9 is not between 1 and 5"},
                ],
            },
            {"session_id": "old", "status": "duplicate"},
            {
                "session_id": None,
                "status": "rejected",
                "errors": [{"field": "body", "message": "is not a JSON object"}],
            },
            {"session_id": "new", "status": "duplicate", "conflict": True},
            {
                "session_id": "7",
                "status": "rejected",
                "errors": [
                    {"field": name, "message": "is missing"}
                    for name in ("tutor_id", "student_id", "scheduled_time", "status")
                ],
            },
            {"session_id": "new", "status": "queued"},
            {"session_id": "42", "status": "queued"},
        ],
    }
    BatchReceipt.model_validate_json(response.content)
    stored = rows(intake.database, "select external_id, rating from raw.sessions order by 1")
    assert stored == [("42", None), ("new", 5), ("old", None)]
    assert rows(intake.database, "select session_id from raw.reschedules") == [(entity_uuid("42"),)]
    kept = rows(intake.database, "select content::json, reason, entity, line from raw.quarantine where source = 'api'")
    reasons = {json.dumps(content): reason for content, reason, _, _ in kept}
    assert reasons[json.dumps(bodies[1])] == "colour: there is no such field; rating: 9 is not between 1 and 5"
    assert reasons['"no object"'] == "body: is not a JSON object"
    assert len(kept) == 4  # three rejected rows, and one conflict that came twice


def test_the_same_batch_again_changes_nothing(intake: Served, client: httpx2.Client) -> None:
    empty(intake.database)
    bodies = [session(f"again-{at}", rating=at % 9) for at in range(100)]
    first = client.post(PATH, json=bodies).json()
    count = "select count(*) from raw.{}"
    before = [rows(intake.database, count.format(table)) for table in ("changes", "quarantine", "sessions")]
    again = client.post(PATH, content=ndjson(*bodies), headers=NDJSON).json()
    assert (again["queued"], again["duplicate"], again["rejected"]) == (0, first["queued"], first["rejected"])
    assert [rows(intake.database, count.format(table)) for table in ("changes", "quarantine", "sessions")] == before


def test_lines_of_ndjson(intake: Served, client: httpx2.Client) -> None:
    empty(intake.database)
    content = ndjson(session("l1"), b"", b"{broken", session("l2"), b'{"a": NaN}', b"\xff\x00", b"[]\r", b"")
    answer = client.post(PATH, content=content, headers=NDJSON).json()
    assert [row["status"] for row in answer["rows"]] == ["queued", "rejected", "queued", *["rejected"] * 3]
    messages = [row["errors"][0]["message"] for row in answer["rows"] if row["status"] == "rejected"]
    assert messages == ["is not JSON", "is not JSON", "is not JSON", "is not a JSON object"]
    assert (json.dumps("{broken"),) in rows(intake.database, "select content from raw.quarantine")
    for nothing in (b"", b"\n\n"):
        assert client.post(PATH, content=nothing, headers=NDJSON).json()["rows"] == []


def test_bodies_that_are_no_batch(client: httpx2.Client) -> None:
    problem(client.post(PATH, json=session("single")), 400)
    problem(client.post(PATH, content=b"[", headers={"Content-Type": "application/json"}), 400)
    problem(client.post(PATH, content=b"[]", headers={"Content-Type": "text/csv"}), 415)
    assert client.post(PATH, json=[]).json() == {"queued": 0, "duplicate": 0, "stale": 0, "rejected": 0, "rows": []}


def test_sizes(client: httpx2.Client) -> None:
    problem(client.post(PATH, json=[1] * 10_001), 413)
    problem(client.post(PATH, content=b"1\n" * 10_001, headers=NDJSON), 413)
    problem(client.post(PATH, content=b"\n" * 30_000, headers=NDJSON), 413)
    large = b" " * (20 << 20)
    assert client.post(PATH, content=large, headers=NDJSON).status_code == 200
    problem(client.post(PATH, content=large + b" ", headers=NDJSON), 413)


def test_ten_thousand_rows(intake: Served, client: httpx2.Client) -> None:
    empty(intake.database)
    bodies = [session(f"big-{at:05}", tutor_id=f"t{at % 100}", student_id=f"p{at % 900}") for at in range(10_000)]
    answer = client.post(PATH, json=bodies).json()
    assert answer["queued"] == 10_000
    assert [row["session_id"] for row in answer["rows"]] == [body["session_id"] for body in bodies]
    stored = rows(intake.database, "select count(*), count(distinct xmin::text) from raw.sessions")
    assert stored == [(10_000, 1)]


def test_a_row_that_the_database_refuses_is_rejected_alone(intake: Served, client: httpx2.Client) -> None:
    empty(intake.database)
    bodies = [session(f"pb-{at}", subject="poison" if at in (3, 77) else None) for at in range(100)]
    with poison(intake.database, "poison"):
        answer = client.post(PATH, json=bodies).json()
    assert (answer["queued"], answer["rejected"]) == (98, 2)
    assert [at for at, row in enumerate(answer["rows"]) if row["status"] == "rejected"] == [3, 77]
    assert answer["rows"][3]["errors"] == [{"field": "body", "message": "was refused by the database"}]
    kept = rows(intake.database, "select content::json ->> 'session_id' from raw.quarantine order by 1")
    assert kept == [("pb-3",), ("pb-77",)]


def test_an_idempotency_key_gets_the_first_answer(intake: Served, client: httpx2.Client) -> None:
    empty(intake.database)
    headers = {"Idempotency-Key": "batch-1"}
    bodies = [session("i1"), session("i2", rating=9)]
    first = client.post(PATH, json=bodies, headers=headers)
    again = client.post(PATH, json=bodies, headers=headers)
    assert again.content == first.content
    assert first.json()["queued"] == 1
    problem(client.post(PATH, json=bodies[:1], headers=headers), 422)


def test_batches_wait_for_each_other_and_not_for_ever(intake: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    empty(intake.database)
    monkeypatch.setattr(batches, "PATIENCE_SECONDS", 0.5)

    def batch(client: httpx2.Client, at: int) -> int:
        return client.post(PATH, json=[session(f"w-{at}")]).status_code

    with intake.client(intake.key) as client, ThreadPoolExecutor(8) as pool:
        with locked(intake.database, "lock table raw.sessions in access exclusive mode"):
            started = time.monotonic()
            statuses = list(pool.map(lambda at: batch(client, at), range(6)))
            took = time.monotonic() - started
        # The key has its share under way, which the database does not take, and waits for that.
        assert set(statuses) == {429, 503}
        assert took < 4
        assert batch(client, 7) == 200


def test_slow_batches_of_one_key_do_not_keep_others_out(intake: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    empty(intake.database)
    monkeypatch.setattr(batches, "PATIENCE_SECONDS", 0.2)
    with intake.database.connect() as connection:
        slow, other = (str(keys.create(connection, name, Role.INGEST).secret) for name in ("slow", "other"))
    address = httpx2.URL(intake.base_url)
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nX-API-Key: {slow}\r\nContent-Type: application/json\r\n"
    with ExitStack() as stack, intake.client(slow) as same, intake.client(other) as client:
        for _ in range(batches.PER_KEY):
            connection = stack.enter_context(socket.create_connection((address.host, address.port or 80)))
            connection.sendall(f"{head}Expect: 100-continue\r\nContent-Length: 100\r\n\r\n[".encode())
            # The server asks for the body when it is the body's turn.
            assert connection.recv(1000).startswith(b"HTTP/1.1 100")
        late = problem(same.post(PATH, json=[session("late")]), 429)
        assert client.post(PATH, json=[session("other")]).json()["queued"] == 1
    assert late.title == "The key has too many requests in progress"
    assert late.detail == "2 batches of this key are in progress; wait for their answers."


def test_the_description_agrees_with_the_contract() -> None:
    described = SessionPost.model_json_schema()
    info = described["$defs"]["RescheduleInfo"]["properties"]
    assert set(described["properties"]) == {column.name for column in SESSIONS.columns} | {"reschedule_info"}
    posted = {column.name for column in RESCHEDULES.columns} - {"session_id", "updated_at"}
    assert set(info) == posted | {"cancelled_at", "hours_before_session"}
    assert set(described["required"]) == set(SESSIONS.required)
    columns = {column.name: column for column in (*RESCHEDULES.columns, *SESSIONS.columns)}
    for name, field in {**info, **described["properties"]}.items():
        column = columns.get(name)
        if column is None:
            continue
        options: dict[str, Any] = dict(field)
        for part in field.get("anyOf", []):
            options |= part
        assert tuple(options.get("enum", ())) == column.allowed
        assert options.get("maximum", 0) == column.high
        assert options.get("minimum", 0) == column.low
        if column.kind in ("id", "text"):
            assert options["maxLength"] == column.longest
