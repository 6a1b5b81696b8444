"""Versions from the future are refused, and what one has frozen is mended by an administrator, who is on record."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from core import keys
from core.roles import Role
from tests.api.conftest import Served
from tests.api.test_problems import problem
from tests.api.test_sessions import empty, rows, session
from tests.conftest import forget_audit

PATH = "/api/sessions"
BATCH = "/api/sessions/batch"
OVERRIDE = {"override": "true"}
FUTURE = "2099-01-01T00:00:00Z"
NEW = "2026-01-06T00:00:00Z"


@pytest.fixture(scope="module")
def client(intake: Served) -> Iterator[httpx2.Client]:
    """With an admin's key."""
    with intake.client(intake.key) as client:
        yield client


@pytest.fixture(scope="module")
def ingester(intake: Served) -> Iterator[httpx2.Client]:
    with intake.database.connect() as connection:
        key = keys.create(connection, "overrides", Role.INGEST).secret
    with intake.client(key) as client:
        yield client


@pytest.fixture
def frozen(intake: Served, client: httpx2.Client) -> Served:
    """A session that is stored with a version from the future, as it could be before this was refused."""
    empty(intake.database)
    moved = {"initiator": "tutor", "reason_code": "illness"}
    posted = session("frozen", status="rescheduled", rating=1, updated_at=NEW, reschedule_info=moved)
    assert client.post(PATH, json=posted).status_code == 202
    with intake.database.connect() as connection:
        for table in ("sessions", "reschedules"):
            connection.execute(f"update raw.{table} set updated_at = '{FUTURE}'".encode())
        forget_audit(connection)
    return intake


def audit(intake: Served) -> list[tuple[Any, ...]]:
    return rows(
        intake.database,
        "select actor, action, details -> 'before' ->> 'updated_at', details -> 'after' ->> 'updated_at'"
        " from app.audit_log where action like '%%.override' order by entry_id",
    )


def stored(intake: Served) -> list[tuple[Any, ...]]:
    return rows(intake.database, "select external_id, status, rating::int from raw.sessions order by 1")


@pytest.mark.parametrize(
    "updated_at",
    [
        pytest.param(FUTURE, id="read by the model"),
        pytest.param("2099-01-01", id="read by the parser"),
        pytest.param((datetime.now(UTC) + timedelta(hours=25)).isoformat(), id="25 hours ahead"),
    ],
)
@pytest.mark.parametrize("query", [{}, OVERRIDE], ids=["plain", "override"])
def test_versions_from_the_future_are_refused(
    intake: Served, client: httpx2.Client, updated_at: str, query: dict[str, str]
) -> None:
    empty(intake.database)
    reason = f"{updated_at} is more than a day ahead of the server's clock"
    refused = problem(client.post(PATH, json=session("ahead", updated_at=updated_at), params=query), 400)
    assert [(error.field, error.message) for error in refused.errors or []] == [("updated_at", reason)]
    receipt = client.post(BATCH, json=[session("ahead", updated_at=updated_at), session("good")], params=query).json()
    assert [row["status"] for row in receipt["rows"]] == ["rejected", "queued"]
    assert rows(intake.database, "select reason from raw.quarantine") == [(f"updated_at: {reason}",)]
    assert stored(intake) == [("good", "completed", None)]


def test_a_clock_that_is_a_little_ahead_is_taken(intake: Served, client: httpx2.Client) -> None:
    empty(intake.database)
    soon = (datetime.now(UTC) + timedelta(hours=23)).isoformat()
    assert client.post(PATH, json=session("soon", updated_at=soon)).status_code == 202


def test_an_administrator_overrides_one_session(frozen: Served, client: httpx2.Client, ingester: httpx2.Client) -> None:
    right = session("frozen", rating=4, updated_at=NEW)
    stale = {"stale": True, "stored_updated_at": FUTURE.replace("Z", "+00:00")}
    assert ingester.post(PATH, json=right).json() == {"session_id": "frozen", "status": "queued"} | stale
    assert client.post(PATH, json=right, params={"override": "false"}).json()["stale"] is True
    assert audit(frozen) == []
    refused = problem(ingester.post(PATH, json=right, params=OVERRIDE), 403)
    assert refused.detail == "The key has the role ingest; to override a stored version, admin is needed."
    assert client.post(PATH, json=right, params=OVERRIDE).json() == {"session_id": "frozen", "status": "queued"}
    assert stored(frozen) == [("frozen", "completed", 4)]
    [(actor, action, before, after)] = audit(frozen)
    assert actor.startswith("local-")
    assert (action, before, after) == ("session.override", "2099-01-01T00:00:00+00:00", "2026-01-06T00:00:00+00:00")
    # From here on the newest version wins, and the same again is a duplicate.
    again = client.post(PATH, json=right, params=OVERRIDE)
    assert again.json() == {"session_id": "frozen", "status": "queued", "duplicate": True}
    assert len(audit(frozen)) == 1
    newer = session("frozen", rating=5, updated_at="2026-01-07T00:00:00Z")
    assert ingester.post(PATH, json=newer).json() == {"session_id": "frozen", "status": "queued"}
    assert stored(frozen) == [("frozen", "completed", 5)]


def test_a_batch_overrides_what_would_lose_and_notes_nothing_else(frozen: Served, client: httpx2.Client) -> None:
    moved = {"initiator": "student", "reason_code": "exam"}
    batch = [
        session("frozen", status="rescheduled", rating=4, updated_at=NEW, reschedule_info=moved),
        session("frozen", rating=2),
        session("new"),
    ]
    plain = client.post(BATCH, json=batch).json()
    assert [row["status"] for row in plain["rows"]] == ["stale", "stale", "queued"]
    assert (plain["queued"], plain["stale"], plain["duplicate"], plain["rejected"]) == (1, 2, 0, 0)
    receipt = client.post(BATCH, json=batch, params=OVERRIDE).json()
    assert [row["status"] for row in receipt["rows"]] == ["queued", "stale", "duplicate"]
    assert stored(frozen) == [("frozen", "rescheduled", 4), ("new", "completed", None)]
    assert rows(frozen.database, "select initiator, reason_code from raw.reschedules") == [("student", "exam")]
    assert [action for _, action, *_ in audit(frozen)] == ["session.override", "reschedule.override"]


def test_an_idempotency_key_is_for_one_of_both(frozen: Served, client: httpx2.Client) -> None:
    right = session("frozen", updated_at=NEW)
    headers = {"Idempotency-Key": "override-once"}
    first = client.post(PATH, json=right, headers=headers, params=OVERRIDE)
    assert client.post(PATH, json=right, headers=headers, params=OVERRIDE).json() == first.json()
    problem(client.post(PATH, json=right, headers=headers), 422)


@pytest.mark.parametrize("path", [PATH, BATCH])
@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("overide=true", "overide", "There is no such parameter"),
        ("override=false&dry_run", "dry_run", "There is no such parameter"),
        ("override=false&override=true", "override", "must be given once"),
    ],
)
def test_a_misspelt_parameter_is_not_ignored(
    client: httpx2.Client, path: str, query: str, field: str, message: str
) -> None:
    refused = problem(client.post(f"{path}?{query}", json=session("misspelt")), 400)
    assert [(error.field, error.message) for error in refused.errors or []] == [(field, message)]


def test_override_is_true_or_false(client: httpx2.Client) -> None:
    refused = problem(client.post(PATH, json=session("x"), params={"override": "yes"}), 400)
    assert [(error.field, error.message) for error in refused.errors or []] == [("override", "must be true or false")]
