"""One person's data over HTTP: read by admins, asked to be erased, and kept out until an admin lets them in again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from api.persons.schemas import ErasureList, PersonExport
from core import keys
from core.database import Database
from core.roles import Role
from ingest.ids import entity_uuid
from persons.erase import erase
from persons.identity import with_id
from persons.requests import waiting
from tests.api.conftest import Served, served
from tests.api.test_openapi import assert_is
from tests.api.test_problems import problem
from tests.conftest import PUBLISHED, Postgres

PATH = "/api/persons"


@pytest.fixture
def api(postgres: Postgres, tmp_path: Path) -> Iterator[Served]:
    """An API of its own: what it erases is gone."""
    with served(postgres.new_database(tmp_path, PUBLISHED), tmp_path, erasure_key="key of tests") as api:
        yield api


def value(api: Served, query: str, *parameters: object) -> Any:
    with api.database.connect() as connection:
        row = connection.execute(query.encode(), parameters).fetchone()
    return row[0] if row else None


def erase_requested(api: Served) -> None:
    """What the job does."""
    owner = Database(api.settings)
    with owner.connect() as connection:
        people = [with_id(connection, *asked) for asked in waiting(connection)]
    for identity in people:
        assert erase(api.settings, owner, identity, actor="tutorq").left == []


def session(tutor: object, student: str = "St-New") -> dict[str, object]:
    return {
        "session_id": f"S-{uuid4()}",
        "tutor_id": str(tutor),
        "student_id": student,
        "scheduled_time": "2026-01-20T10:00:00Z",
        "status": "completed",
    }


def test_what_is_stored_is_read_by_admins_and_noted(api: Served) -> None:
    tutor = value(api, "select md5('tutor1')::uuid")
    with api.client(api.key) as admin:
        response = admin.get(f"{PATH}/tutors/{tutor}")
        assert response.status_code == 200, response.text
        assert_is(PersonExport, response.content)
        tables = {table["table"]: table["rows"] for table in response.json()["tables"]}
        assert [row["name"] for row in tables["raw.tutors"]] == ["Björn Tutor 1"]
        sessions = value(api, "select count(*) from raw.sessions where tutor_id = %s", tutor)
        assert len(tables["raw.sessions"]) == sessions > 0
        assert len(tables["marts.tutor_scores"]) == 1
        assert problem(admin.get(f"{PATH}/students/{tutor}"), 404).detail == "There is nobody with this id."
        problem(admin.get(f"{PATH}/cats/{tutor}"), 400)
    noted = value(api, "select subject_kind || ' ' || subject_id from app.audit_log where action = 'data.export'")
    assert noted == f"tutor {tutor}"
    with api.database.connect() as connection:
        lead = keys.create(connection, "reads", Role.READ).secret
    with api.client(lead) as reader:
        problem(reader.get(f"{PATH}/tutors/{tutor}"), 403)
        problem(reader.delete(f"{PATH}/tutors/{tutor}"), 403)
        problem(reader.get(f"{PATH}/erasures"), 403)


def test_who_was_erased_is_refused_until_an_admin_lets_them_in(api: Served) -> None:
    tutor = value(api, "select md5('tutor1')::uuid")
    with api.client(api.key) as admin:
        asked = admin.delete(f"{PATH}/tutors/{tutor}")
        assert (asked.status_code, asked.json()["done_at"]) == (202, None)
        assert admin.delete(f"{PATH}/tutors/{tutor}").json() == asked.json()
        erase_requested(api)
        listed = admin.get(f"{PATH}/erasures")
        assert_is(ErasureList, listed.content)
        [done] = listed.json()["data"]
        assert (done["erasure_id"], done["kind"]) == (asked.json()["erasure_id"], "tutor")
        assert done["done_at"]
        assert done["counts"]["raw.tutors: rows deleted"] == 1
        assert str(tutor) not in listed.text
        problem(admin.get(f"{PATH}/tutors/{tutor}"), 404)
        problem(admin.get(f"/api/tutors/{tutor}"), 404)

        assert_refused(api, admin, tutor)

        assert admin.post(f"{PATH}/tutors/{tutor}/allow").status_code == 204
        problem(admin.post(f"{PATH}/tutors/{tutor}/allow"), 404)
        assert admin.post("/api/sessions", json=session(tutor)).status_code == 202
        assert admin.post("/api/tutors", json={"tutor_id": str(tutor), "name": "Anew"}).status_code == 201
    assert value(api, "select name from raw.tutors where tutor_id = %s", tutor) == "Anew"


def assert_refused(api: Served, admin: httpx2.Client, tutor: object) -> None:
    """Whichever way they are sent, and nothing of them is kept."""
    before = value(api, "select count(*) from raw.sessions"), value(api, "select count(*) from raw.students")
    told = problem(admin.post("/api/sessions", json=session(tutor)), 409)
    assert "was erased" in told.detail
    problem(admin.post("/api/sessions", params={"override": True}, json=session(tutor)), 409)
    good, bad = session("T-2"), {**session(tutor), "status": "weird"}
    batch = admin.post("/api/sessions/batch", json=[session(tutor), good, bad]).json()
    assert [row["status"] for row in batch["rows"]] == ["rejected", "queued", "rejected"]
    assert "was erased" in batch["rows"][0]["errors"][0]["message"]
    problem(admin.post("/api/tutors", json={"tutor_id": str(tutor), "name": "Björn"}), 409)
    people = admin.post("/api/tutors/batch", json=[{"tutor_id": str(tutor), "name": "Björn"}, {"tutor_id": "T-77"}])
    assert [row["status"] for row in people.json()["rows"]] == ["rejected", "created"]
    sessions, students = before
    assert value(api, "select count(*) from raw.sessions") == sessions + 1
    assert value(api, "select count(*) from raw.students") == students + 1
    assert value(api, "select count(*) from raw.tutors where tutor_id = %s", tutor) == 0
    kept = "select string_agg(content, ' ') from raw.quarantine where reason like '%%was erased%%'"
    contents = str(value(api, kept))
    assert contents.count('{"erased": "') >= 4
    assert str(tutor) not in contents
    assert str(tutor) not in str(value(api, "select string_agg(content, ' ') from raw.quarantine"))


def test_who_stands_only_in_files_is_found_by_the_id_that_was_sent(api: Served) -> None:
    report = api.settings.home / "reports" / "refused.csv"
    report.parent.mkdir()
    report.write_text("tutor_id,problem\nT-Only-1042,no name\nT-Other,no name\n")
    with api.database.connect() as connection:
        connection.execute(
            "insert into raw.quarantine (entity, source, line, reason, content, delivered_id) "
            "values ('tutors', 'x', 1, 'bad', '{\"tutor_id\": \"T-Only-1042\"}', 'T-Only-1042')"
        )
    with api.client(api.key) as admin:
        asked = admin.delete(f"{PATH}/tutors/{entity_uuid('T-Only-1042')}")
        assert admin.delete(f"{PATH}/tutors/T-Only-1042").json() == asked.json()
    assert value(api, "select delivered from app.erasures") == "T-Only-1042"
    erase_requested(api)
    assert report.read_text() == "tutor_id,problem\n[erased],no name\nT-Other,no name\n"
    assert value(api, "select count(*) from raw.quarantine where delivered_id = 'T-Only-1042'") == 0
    done = "select done_at is not null and person_id is null and delivered is null from app.erasures"
    assert value(api, done) is True
