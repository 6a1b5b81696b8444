"""Scheduled sessions, those that their tutor is likely to disturb first."""

import itertools
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from api.upcoming.schemas import UpcomingList
from core import keys
from core.roles import Role
from ingest.ids import entity_uuid
from tests.api.conftest import Served
from tests.api.matching import everyone
from tests.api.test_openapi import assert_is
from tests.api.test_problems import problem

PATH = "/api/sessions/upcoming"
SESSIONS = 14
START = datetime(2026, 2, 1, 15, tzinfo=UTC)


@pytest.fixture(scope="module")
def client(matching: Served) -> Iterator[httpx2.Client]:
    """With fourteen scheduled sessions, the last of which nobody has predicted; two are as likely as each other."""
    with matching.client(matching.key) as client:
        body = [
            {
                "session_id": f"U-{i}",
                "tutor_id": f"T-{1 + i % 3}",
                "student_id": f"S-{1 + i % 4}",
                "scheduled_time": (START + timedelta(hours=i)).isoformat(),
                "status": "scheduled",
                "subject": "maths",
                "duration_minutes": 45,
            }
            for i in range(SESSIONS)
        ]
        assert client.post("/api/sessions/batch", json=body).json()["queued"] == SESSIONS
        with matching.database.connect() as connection:
            for i in range(SESSIONS - 1):
                chance = 0.05 * max(i, 1)
                connection.execute(
                    "insert into ml.session_predictions values (%s, %s, %s, 'session-1', now())",
                    (entity_uuid(f"U-{i}"), chance, "low" if chance < 0.3 else "medium"),
                )
            connection.execute("update ml.prediction_version set version = version + 1")
        yield client


def test_the_likeliest_come_first_and_the_unknown_last(client: httpx2.Client) -> None:
    assert_is(UpcomingList, client.get(PATH).content)
    found = everyone(client, PATH)
    expected = [f"U-{i}" for i in (*range(SESSIONS - 2, 1, -1), 0, 1, SESSIONS - 1)]
    assert [row["external_id"] for row in found] == expected
    assert (found[-1]["tutor_disruption_probability"], found[-1]["risk_level"]) == (None, None)
    first = found[0]
    assert first["tutor_disruption_probability"] == 0.6
    assert (first["risk_level"], first["model_version"]) == ("medium", "session-1")
    assert datetime.fromisoformat(first["scheduled_time"]) == START + timedelta(hours=12)
    assert (first["subject"], first["duration_minutes"]) == ("maths", 45)
    assert first["tutor_id"] == str(entity_uuid("T-1"))
    assert (first["tutor_name"], first["student_name"]) == ("Wilhelmina Ibsen 1", "Zebulon Quist 1")


def test_filters_and_pages(client: httpx2.Client) -> None:
    everything = everyone(client, PATH)
    assert [row["rank"] for row in everything] == [*range(1, 12), 12, 12, None]
    risky = everyone(client, PATH, min_risk=0.3)
    expected = [row for row in everything if (row["tutor_disruption_probability"] or 0) >= 0.3]
    assert [row["rank"] for row in risky] == list(range(1, 8))
    assert [row["session_id"] for row in risky] == [row["session_id"] for row in expected]
    assert len(risky) == 7
    for tutor in ("T-2", str(entity_uuid("T-2"))):
        theirs = [row["session_id"] for row in everyone(client, PATH, tutor_id=tutor)]
        assert theirs == [row["session_id"] for row in everything if row["tutor_id"] == str(entity_uuid("T-2"))]
    assert everyone(client, PATH, tutor_id=str(uuid4())) == []
    seen: list[dict[str, Any]] = []
    for offset in itertools.count(0, 5):
        body = client.get(PATH, params={"limit": 5, "offset": offset}).json()
        assert body["meta"]["total"] == SESSIONS
        seen += body["data"]
        if not body["data"]:
            break
    assert seen == everything


def test_in_order_of_time_and_by_student(client: httpx2.Client) -> None:
    everything = everyone(client, PATH)
    by_time = everyone(client, PATH, sort_by="scheduled_time")
    assert [row["external_id"] for row in by_time] == [f"U-{i}" for i in range(SESSIONS)]
    by_student = everyone(client, PATH, sort_by="student_name")
    expected = sorted(by_time, key=lambda row: row["student_name"])
    assert by_student == expected
    assert len({row["student_name"] for row in by_student}) == 4
    # The order changes no row: its rank is still that by risk.
    assert sorted(by_time, key=lambda row: row["session_id"]) == sorted(everything, key=lambda row: row["session_id"])
    for sort_by, rows in (("scheduled_time", by_time), ("student_name", by_student)):
        page = client.get(PATH, params={"sort_by": sort_by, "limit": 4, "offset": 3}).json()
        assert page["data"] == rows[3:7]


def test_from_a_moment_of_a_level_and_of_somebody(client: httpx2.Client) -> None:
    by_time = everyone(client, PATH, sort_by="scheduled_time")
    # From 15:00 on, one an hour: the tenth begins at midnight.
    for since in ("2026-02-02T00:00:00Z", "2026-02-02T01:00:00+01:00", "2026-02-01T23:30:00Z"):
        later = everyone(client, PATH, sort_by="scheduled_time", since=since)
        assert [row["external_id"] for row in later] == [f"U-{i}" for i in range(9, SESSIONS)]
    levels = everyone(client, PATH, sort_by="scheduled_time", risk_level=["low", "high"])
    assert [row["session_id"] for row in levels] == [row["session_id"] for row in by_time if row["risk_level"] == "low"]
    for wanted, name in (("QUIST 2", "student_name"), ("ibsen 3", "tutor_name")):
        found = everyone(client, PATH, sort_by="scheduled_time", search=wanted)
        assert [row["session_id"] for row in found] == [
            row["session_id"] for row in by_time if row[name].lower().endswith(wanted.lower())
        ]
        assert found
    assert {row["tutor_name"] for row in everyone(client, PATH, search="t-1")} == {"Wilhelmina Ibsen 1"}
    assert everyone(client, PATH, search="nobody") == []


def test_a_tutor_s_concerns_are_beside_the_risk(client: httpx2.Client) -> None:
    known = {row["tutor_id"]: row for row in everyone(client, "/api/tutors")}
    for row in everyone(client, PATH):
        of = known[row["tutor_id"]]
        assert (row["tutor_attention"], row["tutor_concerns"]) == (of["attention"], of["concerns"])
    assert any(row["tutor_concerns"] for row in everyone(client, PATH))


@pytest.mark.parametrize("least", [0, 0.3])
def test_one_per_tutor_is_the_likeliest_of_each(client: httpx2.Client, least: float) -> None:
    everything = everyone(client, PATH, min_risk=least)
    first_of = {row["tutor_id"]: row for row in reversed(everything)}
    found = everyone(client, PATH, min_risk=least, one_per_tutor=True)
    expected = [{**row, "rank": None} for row in everything if row == first_of[row["tutor_id"]]]
    assert [{**row, "rank": None} for row in found] == expected
    assert [row["rank"] for row in found] == [1, 2, 3]
    assert len(found) == 3
    assert {row["tutor_id"]: row["tutor_sessions"] for row in found} == Counter(row["tutor_id"] for row in everything)
    page = client.get(PATH, params={"min_risk": least, "one_per_tutor": True, "limit": 1, "offset": 1}).json()
    assert (page["data"], page["meta"]["total"]) == (found[1:2], 3)


def test_new_predictions_show_at_once(matching: Served, client: httpx2.Client) -> None:
    tag = client.get(PATH).headers["etag"]
    assert client.get(PATH, headers={"If-None-Match": tag}).status_code == 304
    with matching.database.connect() as connection:
        connection.execute("update ml.prediction_version set version = version + 1")
    assert client.get(PATH, headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "min_risk=2",
        "min_risk=low",
        "tutor_id=",
        "tutor_id=%20",
        "tutor_id=%1C",
        "limit=0",
        "day=1",
        "sort_by=name",
        "since=2026-02-02",
    ],
)
def test_a_wrong_parameter_is_named(client: httpx2.Client, query: str) -> None:
    problem(client.get(f"{PATH}?{query}"), 400)


@pytest.mark.parametrize(("role", "status"), [(None, 401), (Role.READ, 200), (Role.INGEST, 403)])
def test_readers_read(matching: Served, client: httpx2.Client, role: Role | None, status: int) -> None:
    secret = None
    if role is not None:
        with matching.database.connect() as connection:
            secret = keys.create(connection, f"upcoming-{role}", role).secret
    with matching.client(secret) as other:
        assert other.get(PATH).status_code == status
