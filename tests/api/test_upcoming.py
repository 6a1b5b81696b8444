"""Scheduled sessions, those that their tutor is likeliest to let down first."""

import itertools
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from api.upcoming.schemas import UpcomingList
from core import keys, people
from core.roles import Role
from ingest.ids import entity_uuid
from tests.api.conftest import Served
from tests.api.matching import everyone
from tests.api.test_auth_sessions import person
from tests.api.test_openapi import assert_is
from tests.api.test_problems import problem

PATH = "/api/sessions/upcoming"
SESSIONS = 14
# Has no session that is over.
UNKNOWN = "T-8"
START = datetime(2026, 2, 1, 15, tzinfo=UTC)


@pytest.fixture(scope="module")
def client(matching: Served) -> Iterator[httpx2.Client]:
    """With scheduled sessions of three tutors, and of one who has had none; a model has predicted all but two."""
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
        body.append({**body[0], "session_id": "U-last", "tutor_id": UNKNOWN})
        assert client.post("/api/sessions/batch", json=body).json()["queued"] == len(body)
        with matching.database.connect() as connection:
            for i in range(SESSIONS - 1):
                chance = 0.05 * max(i, 1)
                connection.execute(
                    "insert into ml.session_predictions values (%s, %s, 'session-1', now(), %s, 'student-1')",
                    (entity_uuid(f"U-{i}"), chance, 0.2 - 0.015 * i),
                )
            connection.execute("update ml.prediction_version set version = version + 1")
        yield client


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The likeliest first, of one tutor the earliest; who has no sessions to judge by comes last."""
    return sorted(
        rows,
        key=lambda row: (
            row["let_down_probability"] is None, -(row["let_down_probability"] or 0), row["scheduled_time"],
        ),
    )  # fmt: skip


def test_the_likeliest_come_first_and_the_unknown_last(client: httpx2.Client) -> None:
    assert_is(UpcomingList, client.get(PATH).content)
    found = everyone(client, PATH)
    assert found == in_order(found)
    assert found[-1]["tutor_external_id"] == UNKNOWN
    assert (found[-1]["let_down_probability"], found[-1]["risk_level"], found[-1]["rank"]) == (None, None, None)
    (of,) = [row for row in found if row["external_id"] == "U-12"]
    assert (of["tutor_disruption_probability"], of["model_version"]) == (pytest.approx(0.6), "session-1")
    assert datetime.fromisoformat(of["scheduled_time"]) == START + timedelta(hours=12)
    assert (of["subject"], of["duration_minutes"]) == ("maths", 45)
    assert of["tutor_id"] == str(entity_uuid("T-1"))
    assert (of["tutor_name"], of["student_name"]) == ("Wilhelmina Ibsen 1", "Zebulon Quist 1")
    assert (of["tutor_external_id"], of["student_external_id"]) == ("T-1", "S-1")


def test_planned_sessions_add_up_to_what_is_at_risk(client: httpx2.Client) -> None:
    """Of a tutor, all have the tutor's expected rate: what Today and Tutors multiply."""
    tutors = {row["tutor_id"]: row for row in everyone(client, "/api/tutors")}
    for row in everyone(client, PATH):
        assert row["let_down_probability"] == tutors[row["tutor_id"]]["let_down_rate_expected"]
    for tutor in tutors.values():
        if tutor["let_down_rate_expected"] is not None:
            expected = tutor["planned_sessions_7d"] * tutor["let_down_rate_expected"]
            assert tutor["harm_sessions"] == pytest.approx(expected, abs=1e-12)


def test_levels_are_relative_to_the_limit_and_never_low_beside_a_raised_concern(client: httpx2.Client) -> None:
    meta = client.get(PATH).json()["meta"]
    assert meta["let_down_limit"] == 0.15
    assert 0 < meta["let_down_usual"] < 1
    found = [row for row in everyone(client, PATH) if row["let_down_probability"] is not None]
    for row in found:
        is_of_concern = bool({"unreliable", "getting_worse", "no_shows"} & set(row["tutor_concerns"]))
        if row["let_down_probability"] > meta["let_down_limit"]:
            assert row["risk_level"] == "high"
        else:
            is_unusual = row["let_down_probability"] > meta["let_down_usual"]
            assert row["risk_level"] == ("medium" if is_unusual or is_of_concern else "low")


def test_filters_and_pages(client: httpx2.Client) -> None:
    everything = everyone(client, PATH)
    chances = [row["let_down_probability"] for row in everything]
    known = [chance for chance in chances if chance is not None]
    assert [row["rank"] for row in everything[: len(known)]] == [1 + known.index(chance) for chance in known]
    least = sorted(set(known))[1]
    expected = [row for row in everything if (row["let_down_probability"] or 0) >= least]
    assert everyone(client, PATH, min_risk=least) == [
        {**row, "tutor_sessions": row["tutor_sessions"]} for row in expected
    ]
    assert 0 < len(expected) < len(everything)
    for tutor in ("T-2", str(entity_uuid("T-2"))):
        theirs = [row["session_id"] for row in everyone(client, PATH, tutor_id=tutor)]
        assert theirs == [row["session_id"] for row in everything if row["tutor_id"] == str(entity_uuid("T-2"))]
    assert everyone(client, PATH, tutor_id=str(uuid4())) == []
    seen: list[dict[str, Any]] = []
    for offset in itertools.count(0, 5):
        body = client.get(PATH, params={"limit": 5, "offset": offset}).json()
        assert body["meta"]["total"] == len(everything)
        seen += body["data"]
        if not body["data"]:
            break
    assert seen == everything


def test_by_what_the_session_model_says(client: httpx2.Client) -> None:
    found = everyone(client, PATH, sort_by="tutor_disruption_probability")
    said = [row["tutor_disruption_probability"] for row in found]
    assert said[-2:] == [None, None]
    assert said[:-2] == sorted(said[:-2], reverse=True)


def test_the_students_risk_stands_beside_the_tutors(client: httpx2.Client) -> None:
    """High above the limit of 15%, medium above half of it."""
    found = everyone(client, PATH, sort_by="student_no_show_probability")
    assert [row["external_id"] for row in found[: SESSIONS - 1]] == [f"U-{i}" for i in range(SESSIONS - 1)]
    levels = [row["student_risk_level"] for row in found]
    assert levels == ["high"] * 4 + ["medium"] * 5 + ["low"] * (SESSIONS - 10) + [None, None]
    assert (found[0]["student_no_show_probability"], found[0]["student_model_version"]) == (
        pytest.approx(0.2), "student-1"
    )  # fmt: skip
    assert [row["student_no_show_probability"] for row in found[-2:]] == [None, None]
    risky = everyone(client, PATH, sort_by="student_no_show_probability", student_risk_level=["high", "medium"])
    assert [row["session_id"] for row in risky] == [row["session_id"] for row in found[:9]]


def test_first_meetings_have_the_risk_of_all_that_may_go_wrong(matching: Served, client: httpx2.Client) -> None:
    firsts = [row for row in everyone(client, PATH) if row["is_first_meeting"]]
    with matching.database.connect() as connection:
        connection.execute(
            """
            with run as (
                insert into ml.match_runs (model_version, medium_from, high_from) values ('m1', 0.3, 0.7)
                returning run_id
            )

            insert into ml.match_predictions (student_id, tutor_id, churn_probability, run_id, bucket)
            select distinct student_id, tutor_id, 0.4, run_id, ml.student_bucket(student_id)
            from unnest(%s::uuid[], %s::uuid[]) as pairs (student_id, tutor_id)
            cross join run
            on conflict (bucket, student_id, tutor_id) do update set churn_probability = excluded.churn_probability
            """,
            [[row["student_id"] for row in firsts], [row["tutor_id"] for row in firsts]],
        )
        connection.execute("update ml.prediction_version set version = version + 1")
    everything = everyone(client, PATH)
    found = everyone(client, PATH, sort_by="first_session_risk", is_first_meeting=True)
    assert {row["session_id"] for row in found} == {row["session_id"] for row in everything if row["is_first_meeting"]}
    for row in everything:
        if not row["is_first_meeting"]:
            assert (row["churn_probability"], row["churn_risk_level"], row["first_session_risk"]) == (None, None, None)
        elif row["churn_probability"] is not None:
            let_down, missed = row["let_down_probability"] or 0, row["student_no_show_probability"] or 0
            goes_well = (1 - let_down) * (1 - missed) * (1 - row["churn_probability"])
            assert row["first_session_risk"] == pytest.approx(1 - goes_well, abs=1e-6)
    assert all((row["preparation"] == []) or row["is_first_meeting"] for row in everything)
    assert any("Pace (1 slow, 5 fast)" in fact for row in found for fact in row["preparation"])
    risks = [row["first_session_risk"] for row in found]
    known = [risk for risk in risks if risk is not None]
    assert known
    assert risks == sorted(known, reverse=True) + [None] * (len(risks) - len(known))
    others = everyone(client, PATH, is_first_meeting=False)
    assert len(others) == len(everything) - len(found)


def test_in_order_of_time_and_by_student(client: httpx2.Client) -> None:
    everything = everyone(client, PATH)
    by_time = everyone(client, PATH, sort_by="scheduled_time")
    assert {row["external_id"] for row in by_time[:2]} == {"U-0", "U-last"}
    assert [row["external_id"] for row in by_time[2:]] == [f"U-{i}" for i in range(1, SESSIONS)]
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
        # Not with the one that begins then.
        sooner = everyone(client, PATH, sort_by="scheduled_time", until=since)
        assert [row["session_id"] for row in sooner + later] == [row["session_id"] for row in by_time]
    levels = everyone(client, PATH, sort_by="scheduled_time", risk_level=["low", "high"])
    wanted = [row["session_id"] for row in by_time if row["risk_level"] in ("low", "high")]
    assert [row["session_id"] for row in levels] == wanted
    assert 0 < len(wanted) < len(by_time)
    for wanted, name in (("QUIST 2", "student_name"), ("ibsen 3", "tutor_name")):
        found = everyone(client, PATH, sort_by="scheduled_time", search=wanted)
        assert [row["session_id"] for row in found] == [
            row["session_id"] for row in by_time if row[name].lower().endswith(wanted.lower())
        ]
        assert found
    assert {row["tutor_name"] for row in everyone(client, PATH, search="t-1")} == {"Wilhelmina Ibsen 1"}
    for name, key in (("T-2", "tutor_id"), ("S-3", "student_id")):
        uuid = str(entity_uuid(name))
        assert {row[key] for row in everyone(client, PATH, search=uuid[:8])} == {uuid}
    assert everyone(client, PATH, search="nobody") == []


def test_of_my_tutors_with_answers_that_follow_the_team(matching: Served, client: httpx2.Client) -> None:
    coach = person(matching, Role.COACH, "Tess")

    def give(tutor: str) -> None:
        with matching.database.connect() as connection:
            people.change_team(connection, coach, give={tutor: entity_uuid(tutor)}, take={})

    give("T-2")
    mine = {"team_of": coach.person_id}
    page = client.get(PATH, params=mine)
    expected = [row["session_id"] for row in everyone(client, PATH, tutor_id="T-2")]
    assert [row["session_id"] for row in page.json()["data"]] == expected
    assert page.json()["meta"]["total"] == len(expected) == 5
    known = {"If-None-Match": page.headers["etag"]}
    assert client.get(PATH, params=mine, headers=known).status_code == 304
    give("T-3")
    again = client.get(PATH, params=mine, headers=known)
    assert {row["tutor_external_id"] for row in again.json()["data"]} == {"T-2", "T-3"}
    assert client.get(PATH, params={"team_of": coach.person_id + 1}).json()["data"] == []


def test_a_tutor_s_concerns_are_beside_the_risk(client: httpx2.Client) -> None:
    known = {row["tutor_id"]: row for row in everyone(client, "/api/tutors")}
    for row in everyone(client, PATH):
        of = known[row["tutor_id"]]
        assert (row["tutor_attention"], row["tutor_concerns"]) == (of["attention"], of["concerns"])
    assert any(row["tutor_concerns"] for row in everyone(client, PATH))


@pytest.mark.parametrize("least", [0, 0.01])
def test_one_per_tutor_is_the_likeliest_of_each(client: httpx2.Client, least: float) -> None:
    everything = everyone(client, PATH, min_risk=least)
    first_of = {row["tutor_id"]: row for row in reversed(in_order(everything))}
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
