"""Single sessions: read back as they are stored, and deleted so that they stay deleted."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx2
import pytest

from api.session_records.schemas import StoredSessionResponse
from core import keys
from core.database import DatabaseRole
from core.roles import Role
from ingest.ids import entity_uuid
from ingest.load import load_folder
from tests.api.conftest import Served
from tests.api.test_openapi import assert_is
from tests.api.test_problems import problem
from tests.api.test_sessions import rows, session

OLD, NEW = "2026-01-06T00:00:00Z", "2026-01-07T00:00:00Z"
MOVED = {"initiator": "tutor", "reason_code": "ill", "requested_at": "2026-01-04T10:00:00Z"}


@pytest.fixture(scope="module")
def client(intake: Served) -> Iterator[httpx2.Client]:
    with intake.client(intake.key) as client:
        yield client


@pytest.fixture(scope="module")
def ingester(intake: Served) -> Iterator[httpx2.Client]:
    with intake.database.connect() as connection:
        key = keys.create(connection, f"ingester {uuid4()}", Role.INGEST).secret
    with intake.client(key) as client:
        yield client


@pytest.fixture
def name(client: httpx2.Client) -> str:
    """A session that was moved once."""
    name = f"record {uuid4()}"
    body = session(name, status="rescheduled", rating=4.5, updated_at=OLD, reschedule_info=MOVED)
    assert client.post("/api/sessions", json=body).json()["status"] == "queued"
    return name


def path(name: str) -> str:
    return f"/api/sessions/{quote(name, safe='')}"


def data(client: httpx2.Client, name: str) -> dict[str, Any]:
    response = client.get(path(name))
    assert response.status_code == 200, response.text
    assert_is(StoredSessionResponse, response.content)
    found: dict[str, Any] = response.json()["data"]
    return found


def load(intake: Served, folder: Path, **changes: Any) -> list[Any]:
    return load_folder(intake.database.as_role(DatabaseRole.INGEST), folder, timezone="UTC", **changes).files


def write_file(folder: Path, file: str, *lines: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / file).write_text("".join(f"{line}\n" for line in lines))
    return folder


def test_a_session_is_read_back_by_who_posted_it(ingester: httpx2.Client, name: str) -> None:
    found = data(ingester, name)
    assert (found["external_id"], found["tutor_external_id"], found["rating"]) == (name, "t1", 4.5)
    assert (found["updated_at"], found["load"], found["refused"]) == ("2026-01-06T00:00:00+00:00", None, [])
    [move] = found["moves"]
    assert (move["reason_code"], move["updated_at"]) == ("ill", "2026-01-06T00:00:00+00:00")
    assert data(ingester, str(entity_uuid(name))) == found
    tag = ingester.get(path(name)).headers["ETag"]
    assert ingester.get(path(name), headers={"If-None-Match": tag}).status_code == 304


def test_the_load_that_brought_it_and_what_was_refused_of_it(
    intake: Served, client: httpx2.Client, name: str, tmp_path: Path
) -> None:
    write_file(
        tmp_path, "sessions.csv", "session_id,tutor_id,student_id,scheduled_time,status,rating,updated_at",
        f"{name},t1,p1,2026-01-05T10:00:00Z,completed,3,{NEW}", f" {name},t1,p1,2026-01-05T10:00:00Z,oops,3,{NEW}",
    )  # fmt: skip
    [summary] = load(intake, tmp_path)
    assert (summary.updated, summary.quarantined) == (1, 1)
    assert client.post("/api/sessions/batch", json=[{"session_id": name, "status": "x"}]).json()["rejected"] == 1
    found = data(client, name)
    assert found["load"] == {"load_id": summary.load_id, "source": "sessions.csv"}
    assert [(row["source"], row["line"], row["delivered_id"]) for row in found["refused"]] == [
        ("api", 0, name),
        ("sessions.csv", 3, name),
    ]
    assert "oops" in json.loads(found["refused"][1]["content"])["status"]


def test_readers_see_no_texts(intake: Served, client: httpx2.Client) -> None:
    name = f"text {uuid4()}"
    body = session(name, status="rescheduled", reschedule_info={**MOVED, "reason": "in hospital"})
    assert client.post("/api/sessions", json=body).json()["status"] == "queued"
    assert client.post("/api/sessions/batch", json=[{**body, "status": "x"}]).json()["rejected"] == 1
    with intake.database.connect() as connection:
        key = keys.create(connection, f"reader {uuid4()}", Role.READ).secret
    with intake.client(key) as reader:
        seen = data(reader, name)
    whole = data(client, name)
    assert whole["moves"][0]["reason"] == "in hospital"
    assert "in hospital" in whole["refused"][0]["content"]
    assert (seen["moves"][0]["reason"], seen["refused"][0]["content"]) == (None, None)
    assert "in hospital" not in json.dumps(seen)
    # Nor does the log, of which nothing is ever taken out.
    assert client.delete(path(name)).status_code == 204
    query = "select details::text from app.audit_log where action = 'session.delete' and subject_id = %s"
    [(details,)] = rows(intake.database, query, str(entity_uuid(name)))
    assert "in hospital" not in details


def test_a_row_that_was_taken_but_for_a_cell_was_not_refused(intake: Served, client: httpx2.Client) -> None:
    name = f"remark {uuid4()}"
    with intake.database.connect() as connection:
        connection.execute(
            "insert into raw.quarantine (entity, source, line, reason, content, is_remark) "
            "values ('sessions', 'f.csv', 2, 'rating: x', json_build_object('session_id', %s::text), true)",
            [name],
        )
    assert problem(client.get(path(name)), 404).detail == "There is no session with this id."
    assert client.post("/api/sessions", json=session(name)).json()["status"] == "queued"
    assert [row["is_remark"] for row in data(client, name)["refused"]] == [True]


def test_one_that_was_only_refused_is_not_there_and_the_answer_says_why(client: httpx2.Client) -> None:
    assert problem(client.get(path("nobody knows this")), 404).detail == "There is no session with this id."
    assert client.post("/api/sessions/batch", json=[{"session_id": "only refused"}]).json()["rejected"] == 1
    assert "Rows of it were refused" in problem(client.get(path("only refused")), 404).detail


def test_a_deleted_session_leaves_and_its_content_is_on_record(
    intake: Served, ingester: httpx2.Client, name: str
) -> None:
    assert ingester.delete(path(name)).status_code == 204
    gone = problem(ingester.get(path(name)), 410)
    assert gone.detail.startswith("The session was deleted at ")
    key = entity_uuid(name)
    for table in ("sessions", "reschedules"):
        assert rows(intake.database, f"select 1 from raw.{table} where session_id = %s", key) == []
    entry = "select actor, details from app.audit_log where action = 'session.delete' and subject_id = %s"
    [(actor, details)] = rows(intake.database, entry, str(key))
    assert actor.startswith("ingester")
    assert (details["session"]["external_id"], details["session"]["rating"]) == (name, 4.5)
    assert [move["reason_code"] for move in details["moves"]] == ["ill"]
    assert ingester.delete(path(name)).status_code == 204, "once more changes nothing"
    assert len(rows(intake.database, entry, str(key))) == 1
    problem(ingester.delete(path("nobody knows this")), 404)


def test_only_a_version_newer_than_the_deletion_brings_it_back(ingester: httpx2.Client, name: str) -> None:
    assert ingester.delete(path(name)).status_code == 204
    # Newer than what was deleted, and older than the deletion: it was on its way.
    for late in (session(name), session(name, updated_at=NEW), session(name, updated_at=NEW, reschedule_info=MOVED)):
        receipt = ingester.post("/api/sessions", json=late).json()
        assert (receipt["stale"], receipt["deleted"]) == (True, True)
        assert receipt["stored_updated_at"] > NEW
        [row] = ingester.post("/api/sessions/batch", json=[late]).json()["rows"]
        assert (row["status"], row["deleted"]) == ("stale", True)
        problem(ingester.get(path(name)), 410)
    # What holds is the newest of a batch, as ever.
    after = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    batch = [session(name, updated_at=NEW), session(name, rating=2, updated_at=after)]
    assert [row["status"] for row in ingester.post("/api/sessions/batch", json=batch).json()["rows"]] == [
        "stale",
        "queued",
    ]
    found = data(ingester, name)
    assert (found["rating"], found["moves"]) == (2, [])
    # Its moves from before stay deleted, too.
    move = session(name, rating=2, updated_at=NEW, status="rescheduled", reschedule_info=MOVED)
    assert ingester.post("/api/sessions", json=move).json()["stale"] is True
    assert data(ingester, name)["moves"] == []


def test_files_do_not_bring_it_back_either(intake: Served, client: httpx2.Client, name: str, tmp_path: Path) -> None:
    assert client.delete(path(name)).status_code == 204
    header = "session_id,tutor_id,student_id,scheduled_time,status,rating"
    line = f"{name},t1,p1,2026-01-05T10:00:00Z,completed"
    old = write_file(tmp_path / "old", "sessions.csv", header, f"{line},1", f"{line},2")
    write_file(tmp_path / "old", "reschedules.csv", "session_id,initiator,original_time", f"{name},tutor,2026-01-05")
    moves, sessions = sorted(load(intake, old), key=lambda summary: str(summary.entity))
    assert (sessions.inserted, sessions.stale, sessions.unchanged, sessions.quarantined) == (0, 2, 0, 0)
    assert (moves.inserted, moves.stale) == (0, 1)
    problem(client.get(path(name)), 410)
    after = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    new = write_file(tmp_path / "new", "sessions.csv", f"{header},updated_at", f"{line},3,{after}")
    [summary] = load(intake, new)
    assert (summary.inserted, summary.stale) == (1, 0)
    assert data(client, name)["rating"] == 3


def test_an_administrator_brings_it_back_on_record(
    intake: Served, client: httpx2.Client, name: str, tmp_path: Path
) -> None:
    assert client.delete(path(name)).status_code == 204
    back = session(name, rating=1, updated_at=OLD)
    assert client.post("/api/sessions", json=back, params={"override": "true"}).json() == {
        "session_id": name,
        "status": "queued",
    }
    assert data(client, name)["rating"] == 1
    entry = "select details ->> 'source', details ->> 'deleted_at' is not null from app.audit_log"
    where = " where action = 'session.override' and subject_id = %s order by entry_id"
    assert rows(intake.database, entry + where, str(entity_uuid(name))) == [("api", True)]
    # And by a file.
    assert client.delete(path(name)).status_code == 204
    write_file(
        tmp_path, "sessions.csv", "session_id,tutor_id,student_id,scheduled_time,status",
        f"{name},t1,p1,2026-01-05T10:00:00Z,completed",
    )  # fmt: skip
    [summary] = load_folder(intake.database, tmp_path, timezone="UTC", override_by="operator").files
    assert summary.inserted == 1
    assert data(client, name)["rating"] is None
    assert rows(intake.database, entry + where, str(entity_uuid(name)))[-1] == ("sessions.csv", True)


def test_a_writer_that_waited_for_the_deletion_does_not_bring_it_back(
    intake: Served, client: httpx2.Client, name: str
) -> None:
    """Its statement began before, and sees no deletion."""
    key = entity_uuid(name)
    insert = (
        "insert into raw.sessions (session_id, tutor_id, student_id, scheduled_time, status, updated_at) "
        "select session_id, tutor_id, student_id, scheduled_time, status, updated_at from was "
        "on conflict (session_id) do update set rating = 5"
    )
    with intake.database.connect() as deleting, intake.database.connect() as writing, ThreadPoolExecutor(1) as pool:
        writing.execute("create temp table was as select * from raw.sessions where session_id = %s", [key])
        deleting.execute("delete from raw.reschedules where session_id = %s", [key])
        deleting.execute("delete from raw.sessions where session_id = %s", [key])
        deleting.execute("insert into raw.deleted_sessions values (%s, now())", [key])
        written = pool.submit(writing.execute, insert)
        while not rows(
            intake.database,
            "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
        ):
            assert not written.done()
        deleting.commit()
        assert written.result().rowcount == 1
        writing.commit()
    assert rows(intake.database, "select 1 from raw.sessions where session_id = %s", key) == []


def test_any_key_reads_and_only_ingest_and_admin_delete(intake: Served, name: str) -> None:
    with intake.database.connect() as connection:
        key = keys.create(connection, f"reader {uuid4()}", Role.READ).secret
    with intake.client(key) as reader:
        assert data(reader, name)["external_id"] == name
        problem(reader.delete(path(name)), 403)
