"""Who could give a planned session in place of its tutor."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx2
import pytest

from api.stand_ins.queries import NOT_PLANNED
from api.stand_ins.schemas import StandInList
from api.upcoming.schemas import UpcomingList
from core import keys
from core.roles import Role
from ingest.ids import entity_uuid
from tests.api.conftest import Served, served
from tests.api.matching import everyone, scramble
from tests.api.test_openapi import assert_is
from tests.api.test_people import at_browser
from tests.api.test_problems import problem

if TYPE_CHECKING:
    from tests.conftest import Postgres

# Each test plans on a day of its own: what others have planned is no business of it.
NOONS = (datetime(2026, 2, 10, 12, tzinfo=UTC) + timedelta(days=3 * n) for n in itertools.count())
# Besides T-2, whose sessions are to be covered: T-9 teaches maths, too, and has left; T-8 names no subject.
OF_MATHS = {"T-3", "T-5", "T-6", "T-8"}
OF_GEOGRAPHY = {"T-1", "T-4", "T-7", "T-8"}


@pytest.fixture(scope="module")
def api(postgres: "Postgres", people: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With a stored prediction for every pair of active people."""
    home = tmp_path_factory.mktemp("stand-ins")
    database = postgres.new_database(home, people)
    scramble(database)
    with served(database, home) as api:
        yield api


@pytest.fixture(scope="module")
def client(api: Served) -> Iterator[httpx2.Client]:
    with api.client(api.key) as client:
        yield client


@pytest.fixture
def day() -> datetime:
    """Noon of a day on which nothing is planned yet."""
    return next(NOONS)


def plan(client: httpx2.Client, tutor: str, at: datetime, **more: Any) -> str:
    """A planned session of maths of S-2, unless told otherwise; its id."""
    name = f"P-{uuid4()}"
    body = {
        "session_id": name,
        "tutor_id": tutor,
        "student_id": "S-2",
        "scheduled_time": at.isoformat(),
        "status": "scheduled",
        "subject": "maths",
        **more,
    }
    answer = client.post("/api/sessions", json={name: value for name, value in body.items() if value is not None})
    assert answer.status_code == 202, answer.text
    return name


def listed(client: httpx2.Client, session: str, **page: Any) -> dict[str, Any]:
    response = client.get(f"/api/sessions/{session}/stand-ins", params=page)
    assert response.status_code == 200, response.text
    assert_is(StandInList, response.content)
    found: dict[str, Any] = response.json()
    return found


def names(found: dict[str, Any]) -> set[str]:
    return {row["external_id"] for row in found["data"]}


def test_they_teach_the_subject_and_the_likeliest_to_hold_it_come_first(client: httpx2.Client, day: datetime) -> None:
    found = listed(client, plan(client, "T-2", day))
    assert names(found) == OF_MATHS
    stored = {
        row["tutor_id"]: row for row in everyone(client, "/api/matching/students/S-2/matches", shares_subject=False)
    }
    of_concern = [row["attention"] for row in found["data"]]
    assert of_concern == sorted(of_concern)
    assert len(set(of_concern)) == 2
    for attention in (False, True):
        held = [row["let_down_probability"] or 1 for row in found["data"] if row["attention"] == attention]
        assert held == sorted(held)
    by_churn = sorted(found["data"], key=lambda row: row["churn_probability"])
    assert [row["rank"] for row in by_churn] == [1, 2, 3, 4]
    for row in found["data"]:
        match = stored[row["tutor_id"]]
        shared = row.keys() & match.keys() - {"rank"}
        assert len(shared) == 9
        assert {name: row[name] for name in shared} == {name: match[name] for name in shared}
    assert any(row["concerns"] for row in found["data"])
    assert found["meta"]["total"] == 4
    covered = found["session"]
    assert (covered["tutor_name"], covered["student_name"]) == ("Wilhelmina Ibsen 2", "Zebulon Quist 2")
    assert (covered["minutes"], covered["subject"]) == (60, "maths")
    assert datetime.fromisoformat(covered["scheduled_time"]) == day


def test_a_low_leaving_risk_moves_nobody_up_who_lets_down_more(
    api: Served, client: httpx2.Client, day: datetime
) -> None:
    session = plan(client, "T-2", day)
    before = listed(client, session)["data"]
    with api.database.connect() as connection:
        connection.execute("update ml.match_predictions set churn_probability = 1 - churn_probability")
        connection.execute("update ml.prediction_version set version = version + 1")
    after = listed(client, session)["data"]
    assert [row["rank"] for row in after] == [5 - row["rank"] for row in before]
    assert [row["tutor_id"] for row in after] == [row["tutor_id"] for row in before]


@pytest.mark.parametrize(
    ("minutes", "begins", "lasts", "is_free"),
    [
        # Of both, nothing is known of the length: an hour.
        (None, -60, None, True),
        (None, -59, None, False),
        (None, 59, None, False),
        (None, 60, None, True),
        # 0 is no length.
        (0, 59, 0, False),
        (0, -60, 0, True),
        (30, 30, 30, True),
        (31, 30, 30, False),
        (30, -90, 90, True),
        (30, -90, 91, False),
        # They need not begin near each other.
        (30, -600, 601, False),
        (30, 0, 1, False),
    ],
)
def test_who_has_a_planned_session_that_overlaps_is_not_free(
    client: httpx2.Client, day: datetime, minutes: int | None, begins: int, lasts: int | None, is_free: bool
) -> None:
    session = plan(client, "T-2", day, duration_minutes=minutes)
    assert names(listed(client, session)) == OF_MATHS
    plan(client, "T-5", day + timedelta(minutes=begins), duration_minutes=lasts, student_id="S-7", subject=None)
    assert names(listed(client, session)) == (OF_MATHS if is_free else OF_MATHS - {"T-5"})


def test_a_session_that_was_called_off_keeps_nobody(client: httpx2.Client, day: datetime) -> None:
    session = plan(client, "T-2", day)
    other = plan(client, "T-6", day, updated_at="2026-01-30T10:00:00Z")
    tag = client.get(f"/api/sessions/{session}/stand-ins").headers["etag"]
    assert names(listed(client, session)) == OF_MATHS - {"T-6"}
    cancelled = {
        "session_id": other,
        "tutor_id": "T-6",
        "student_id": "S-2",
        "scheduled_time": day.isoformat(),
        "status": "cancelled",
        "updated_at": "2026-01-30T11:00:00Z",
    }
    assert client.post("/api/sessions", json=cancelled).status_code == 202
    again = client.get(f"/api/sessions/{session}/stand-ins", headers={"If-None-Match": tag})
    assert again.status_code == 200
    assert names(again.json()) == OF_MATHS
    assert problem(client.get(f"/api/sessions/{other}/stand-ins"), 404).detail == NOT_PLANNED


def test_without_a_subject_those_of_the_student_count(client: httpx2.Client, day: datetime) -> None:
    assert names(listed(client, plan(client, "T-2", day, subject=None, student_id="S-4"))) == OF_GEOGRAPHY
    # S-12 names none.
    found = listed(client, plan(client, "T-2", day, subject=None, student_id="S-12"))
    assert names(found) == OF_MATHS | OF_GEOGRAPHY
    # The session's own goes before the student's.
    assert names(listed(client, plan(client, "T-2", day, student_id="S-4"))) == OF_MATHS
    assert names(listed(client, plan(client, "T-2", day, subject="alchemy"))) == {"T-8"}


def test_of_a_student_who_is_not_predicted_nothing_is_made_up(client: httpx2.Client, day: datetime) -> None:
    found = listed(client, plan(client, "T-2", day, student_id="S-11"))
    assert names(found) == OF_MATHS
    assert {(row["churn_probability"], row["risk_level"], row["rank"]) for row in found["data"]} == {(None, None, None)}


def test_pages(client: httpx2.Client, day: datetime) -> None:
    session = plan(client, "T-2", day)
    everything = listed(client, session)["data"]
    assert listed(client, session, limit=1)["data"] == everything[:1]
    second = listed(client, session, limit=2, offset=1)
    assert (second["data"], second["meta"]["total"]) == (everything[1:3], 4)
    for wrong in ("limit=0", "limit=501", "offset=-1", "subject=maths"):
        problem(client.get(f"/api/sessions/{session}/stand-ins?{wrong}"), 400)


@pytest.mark.parametrize("session", ["nothing", uuid4(), "%20", "P-1'--", "H-1-2"])
def test_what_is_unknown_or_over_is_a_404(client: httpx2.Client, session: object) -> None:
    assert problem(client.get(f"/api/sessions/{session}/stand-ins"), 404).detail == NOT_PLANNED


@pytest.mark.parametrize(("role", "status"), [(None, 401), (Role.READ, 200), (Role.INGEST, 403)])
def test_readers_read(api: Served, client: httpx2.Client, day: datetime, role: Role | None, status: int) -> None:
    session = plan(client, "T-2", day)
    secret = None
    if role is not None:
        with api.database.connect() as connection:
            secret = keys.create(connection, f"stand-ins-{role}", role).secret
    with api.client(secret) as other:
        assert other.get(f"/api/sessions/{session}/stand-ins").status_code == status


def test_a_planned_session_names_who_has_agreed(api: Served, client: httpx2.Client, day: datetime) -> None:
    session_id = plan(client, "T-3", day)
    plan(client, "T-3", day + timedelta(hours=2))
    upcoming = "/api/sessions/upcoming"
    wanted = {"tutor_id": "T-3", "since": day.isoformat(), "until": (day + timedelta(hours=3)).isoformat()}
    tag = ""

    def agreed() -> list[str | None]:
        """Of both sessions; with another ETag each time."""
        nonlocal tag
        response = client.get(upcoming, params=wanted | {"sort_by": "scheduled_time"}, headers={"If-None-Match": tag})
        assert response.status_code == 200, "the ETag stayed"
        assert_is(UpcomingList, response.content)
        tag = response.headers["etag"]
        found = response.json()["data"]
        assert len(found) == 2
        for row in found:
            known = row["stand_in_external_id"]
            assert row["stand_in_id"] == (known and str(entity_uuid(known)))
            assert (row["stand_in_name"] is None) == (known is None)
        return [row["stand_in_external_id"] for row in found]

    with at_browser(api, Role.LEAD, "Mia") as mia:
        mia.post("/api/cases", json={"tutor_id": "T-3"})
        (case,) = mia.get("/api/cases", params={"tutor_id": "T-3"}).json()["data"]
        path = f"/api/cases/{case['case_id']}"

        def answered(tutor: str, answer: str) -> None:
            body = {"session_id": session_id, "tutor_id": tutor, "answer": answer}
            assert mia.post(f"{path}/stand-ins", json=body).status_code == 204

        assert agreed() == [None, None]
        answered("T-5", "asked")
        assert agreed() == [None, None]
        answered("T-5", "agreed")
        assert agreed() == ["T-5", None]
        answered("T-6", "agreed")
        assert agreed() == ["T-6", None]
        answered("T-6", "declined")
        assert agreed() == ["T-5", None]
        # For another time, nobody has agreed yet.
        moved = day + timedelta(hours=1)
        body = {"session_id": session_id, "tutor_id": "T-3", "student_id": "S-2", "status": "scheduled"}
        more = {"scheduled_time": moved.isoformat(), "subject": "maths", "updated_at": "2026-01-30T11:00:00Z"}
        assert client.post("/api/sessions", json=body | more).status_code == 202
        tag = ""
        assert agreed() == [None, None]
        # Who agreed for a case that is over is no longer named, and a browser that has it asks anew.
        answered("T-5", "agreed")
        assert agreed() == ["T-5", None]
        (case,) = mia.get("/api/cases", params={"tutor_id": "T-3"}).json()["data"]
        closed = {"version": case["version"], "state": "dismissed", "reason": "data_error"}
        assert mia.patch(path, json=closed).status_code == 200
        assert agreed() == [None, None]


def test_who_was_asked_is_noted_in_the_case_of_the_tutor(api: Served, client: httpx2.Client, day: datetime) -> None:
    session_id = plan(client, "T-2", day)
    with at_browser(api, Role.LEAD, "Lea") as lea:
        lea.post("/api/cases", json={"tutor_id": "T-2"})
        (case,) = lea.get("/api/cases", params={"tutor_id": "T-2"}).json()["data"]
        path = f"/api/cases/{case['case_id']}"
        body = {"session_id": session_id, "tutor_id": "T-5", "answer": "agreed"}
        assert lea.post(f"{path}/stand-ins", json=body).status_code == 204
        event = lea.get(f"{path}/events").json()["data"][0]
        found = listed(client, session_id)
        chosen = next(row for row in found["data"] if row["external_id"] == "T-5")
        assert (event["kind"], event["actor"], event["details"]) == (
            "stand_in",
            "Lea",
            {
                "session_id": found["session"]["session_id"],
                "scheduled_time": day.isoformat(),
                "tutor_id": chosen["tutor_id"],
                "tutor_name": chosen["name"],
                "answer": "agreed",
            },
        )
        # The case is as it was, and so is the session.
        assert lea.get(path).json()["data"]["version"] == case["version"]
        for field, wrong in (("session_id", "none"), ("tutor_id", "T-2"), ("tutor_id", "nobody"), ("answer", "maybe")):
            response = lea.post(f"{path}/stand-ins", json=body | {field: wrong})
            assert [error.field for error in problem(response, 400).errors or []] == [field]
        assert lea.post("/api/cases/999999/stand-ins", json=body).status_code == 404
