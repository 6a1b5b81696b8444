"""Excuses: who may, what for, and the trail they leave."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx2
import pytest

from api.excuses.schemas import LONGEST_REASON, Excuse
from core import keys
from core.roles import Role
from ingest.ids import entity_uuid
from tests.api.conftest import Served
from tests.api.test_problems import problem
from tests.api.test_sessions import rows, session

STORM = {"reason": "Storm: schools closed"}


@pytest.fixture(scope="module")
def client(intake: Served) -> Iterator[httpx2.Client]:
    with intake.client(intake.key) as client:
        yield client


@pytest.fixture
def moved(client: httpx2.Client) -> str:
    """A session that its tutor has moved."""
    name = f"moved-{uuid4()}"
    body = session(name, status="rescheduled", reschedule_info={"initiator": "tutor"})
    assert client.post("/api/sessions", json=body).status_code == 202
    return name


def test_the_longest_reason_is_taken_however_it_is_escaped(client: httpx2.Client, moved: str) -> None:
    reason = json.dumps({"reason": LONGEST_REASON * "😀"})
    answer = client.post(excuse_path(moved), content=reason, headers={"Content-Type": "application/json"})
    assert answer.status_code == 201
    assert answer.json()["reason"] == LONGEST_REASON * "😀"


def excuse_path(session_id: object) -> str:
    return f"/api/sessions/{session_id}/excuse"


def test_an_excuse_comes_and_goes_and_leaves_a_trail(intake: Served, client: httpx2.Client, moved: str) -> None:
    session_id = entity_uuid(moved)
    with intake.database.connect() as connection:
        connection.execute("delete from raw.changes")
    response = client.post(excuse_path(moved), json={"reason": "  Storm: schools closed\n"})
    assert response.status_code == 201
    excuse = Excuse.model_validate_json(response.content)
    actor = f"local-{intake.key.split('_')[1]}"
    assert (excuse.session_id, excuse.reason, excuse.created_by) == (session_id, STORM["reason"], actor)
    # By its UUID it is the same one, and the same reason again is no news.
    again = client.post(excuse_path(session_id), json=STORM)
    assert (again.status_code, again.json()) == (200, response.json())
    assert problem(client.post(excuse_path(moved), json={"reason": "Illness"}), 409).title
    assert rows(intake.database, "select entity, entity_id from raw.changes") == [("session", session_id)]

    assert client.delete(excuse_path(moved)).status_code == 204
    problem(client.delete(excuse_path(moved)), 404)
    assert rows(intake.database, "select count(*) from raw.changes") == [(2,)]
    assert rows(intake.database, "select count(*) from app.excuses where session_id = %s", session_id) == [(0,)]
    trail = rows(
        intake.database,
        "select actor, action, subject_kind, details from app.audit_log where subject_id = %s order by entry_id",
        str(session_id),
    )
    assert trail == [
        (actor, "excuse.add", "session", STORM),
        (actor, "excuse.remove", "session", {**STORM, "created_by": actor}),
    ]
    assert client.post(excuse_path(moved), json={"reason": "Illness"}).status_code == 201


def test_only_what_was_moved_cancelled_or_missed_can_be_excused(client: httpx2.Client) -> None:
    assert client.post("/api/sessions", json=session("kept")).status_code == 202
    for name in ("kept", "never heard of", uuid4(), "%20", "x" * 200):
        problem(client.post(excuse_path(name), json=STORM), 404)
        problem(client.delete(excuse_path(name)), 404)
    problem(client.post(excuse_path("x" * 201), json=STORM), 400)


@pytest.mark.parametrize(
    "body", [{}, {"reason": " "}, {"reason": 5}, {"reason": "a\0"}, {"reason": "x" * 2001}, [], {**STORM, "by": "me"}]
)
def test_a_reason_is_needed(client: httpx2.Client, moved: str, body: object) -> None:
    assert problem(client.post(excuse_path(moved), json=body), 400).errors


def test_bodies_of_another_type_or_size(client: httpx2.Client, moved: str) -> None:
    problem(client.post(excuse_path(moved), content=b"storm", headers={"Content-Type": "text/plain"}), 415)
    problem(client.post(excuse_path(moved), json={"reason": "x" * 40_000}), 413)


@pytest.mark.parametrize(("role", "status"), [(None, 401), (Role.READ, 403), (Role.INGEST, 403), (Role.ADMIN, 201)])
def test_who_may_excuse(intake: Served, moved: str, role: Role | None, status: int) -> None:
    secret = None
    if role is not None:
        with intake.database.connect() as connection:
            secret = keys.create(connection, f"{role}-{uuid4()}", role).secret
    with intake.client(secret) as client:
        assert client.post(excuse_path(moved), json=STORM).status_code == status
        assert client.delete(excuse_path(moved)).status_code == {201: 204}.get(status, status)


def test_two_at_a_time(intake: Served, client: httpx2.Client, moved: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.post(excuse_path(moved), json=STORM).status_code, range(8)))
    assert sorted(answers) == [200] * 7 + [201]
    count = "select count(*) from app.audit_log where subject_id = %s"
    assert rows(intake.database, count, str(entity_uuid(moved))) == [(1,)]


@pytest.mark.parametrize("status", ["cancelled", "no_show"])
def test_cancellations_and_no_shows_are_excused_too(client: httpx2.Client, status: str) -> None:
    name = f"{status}-{uuid4()}"
    assert client.post("/api/sessions", json=session(name, status=status, initiator="tutor")).status_code == 202
    problem(client.get(excuse_path(name)), 404)
    given = client.post(excuse_path(name), json=STORM)
    assert given.status_code == 201
    assert client.get(excuse_path(name)).json() == given.json()
    # Under its first path, too.
    assert client.delete(f"/api/reschedules/{name}/excuse").status_code == 204
    problem(client.get(excuse_path(name)), 404)


def test_a_day_without_a_let_down_cannot_be_excused(client: httpx2.Client) -> None:
    path = "/api/tutors/nobody/days/2026-01-05/excuse"
    problem(client.post(path, json=STORM), 404 if _is_scored(client) else 503)
    problem(client.post("/api/tutors/nobody/days/yesterday/excuse", json=STORM), 400)


def _is_scored(client: httpx2.Client) -> bool:
    return client.get("/api/overview").status_code == 200
