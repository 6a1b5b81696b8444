"""The cases of tests/cases.py, loaded and scored as anybody's files are: each is found, the others are left alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from core import dbt_runner
from core.database import DatabaseRole
from core.settings import Settings
from ingest import load_folder
from tests.api.conftest import served
from tests.cases import AS_OF, CHANGED_DAYS, ORDINARY_TUTORS, SICK_ON, write_cases

if TYPE_CHECKING:
    import httpx2

    from tests.conftest import Postgres

ILL = "/api/tutors/was_ill_one_morning"


@pytest.fixture(scope="module")
def client(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """An admin of the API on the scored cases."""
    home = tmp_path_factory.mktemp("cases")
    database = postgres.new_database(home)
    write_cases(home / "landing")
    loaded = load_folder(database.as_role(DatabaseRole.INGEST), home / "landing", timezone="UTC")
    assert not loaded.quarantined
    settings = Settings(home=home, database_url=database.url, as_of=AS_OF.isoformat())
    dbt_runner.build(settings, database, exclude=["tag:matching", "resource_type:test"])
    with served(database, home) as api, api.client(api.key) as client:
        yield client


@pytest.fixture(scope="module")
def tutors(client: httpx2.Client) -> dict[str, Any]:
    """All tutors by external id, the most urgent first."""
    listed = client.get("/api/tutors", params={"sort_by": "attention", "limit": 500}).json()
    return {tutor["external_id"]: tutor for tutor in listed["data"]}


def concern(client: httpx2.Client, tutor: str, name: str) -> Any:
    """What is known of one concern about a tutor."""
    known = client.get(f"/api/tutors/{tutor}").json()["data"]["concerns"]
    return next(each for each in known if each["concern"] == name)


def test_who_cancels_34_of_60_lessons_is_unreliable(tutors: dict[str, Any]) -> None:
    tutor = tutors["cancels"]
    assert (tutor["sessions_90d"], tutor["tutor_cancellations_90d"], tutor["let_downs_90d"]) == (60, 34, 34)
    assert tutor["concerns"] == ["unreliable"]
    assert tutor["risk_status"] == "high_risk"
    assert tutor["risk_probability"] > 0.99
    assert tutor["quality_score"] < 10


@pytest.mark.parametrize("other", ["steady_but_missed_one", "steady_and_missed_one_more"])
def test_a_no_show_never_lowers_a_probability(client: httpx2.Client, tutors: dict[str, Any], other: str) -> None:
    assert tutors[other]["tutor_no_shows_90d"] == tutors[other]["let_downs_90d"] == 1
    assert tutors[other]["quality_score"] < tutors["steady"]["quality_score"]
    for name in ("unreliable", "getting_worse", "no_shows"):
        assert concern(client, other, name)["probability"] > concern(client, "steady", name)["probability"], name


def test_who_gets_worse_suddenly_is_noticed_within_two_weeks_and_comes_first(
    client: httpx2.Client, tutors: dict[str, Any]
) -> None:
    name, *others = tutors
    assert name == "suddenly_worse"
    assert tutors[name]["reschedule_rate_30d"] > 0.4
    raised_on = date.fromisoformat(concern(client, name, "getting_worse")["raised_on"])
    assert raised_on <= AS_OF - timedelta(CHANGED_DAYS) + timedelta(14)
    assert "formerly_worse" in others
    assert tutors["formerly_worse"]["attention"]
    assert tutors["formerly_worse"]["let_downs_90d"] > tutors[name]["let_downs_90d"]
    assert tutors["formerly_worse"]["harm_sessions"] > tutors[name]["harm_sessions"]


@pytest.mark.parametrize(
    ("tutor", "figures", "concerns"),
    [
        (
            "loses_students_and_is_rated_low",
            {"first_meetings": 24, "first_meetings_continued": 9, "rating_mean_90d": pytest.approx(3.49, abs=0.01)},
            ["loses_new_students", "low_ratings"],
        ),
        ("misses", {"tutor_no_shows_90d": 7, "sessions_90d": 90}, ["no_shows"]),
        ("loses_students", {"first_meetings": 10, "first_meetings_continued": 2}, ["loses_new_students"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_who_keeps_nearly_all_appointments_may_be_of_concern_for_other_reasons(
    tutors: dict[str, Any], tutor: str, figures: dict[str, Any], concerns: list[str]
) -> None:
    found = tutors[tutor]
    assert {name: found[name] for name in figures} == figures
    assert found["concerns"] == concerns
    assert found["risk_status"] == "ok"


def test_raw_rates_are_those_counted(client: httpx2.Client) -> None:
    assert concern(client, "misses", "no_shows")["raw_rate"] == 7 / 90
    assert concern(client, "loses_students", "loses_new_students")["raw_rate"] == 0.8
    rating = concern(client, "loses_students_and_is_rated_low", "low_ratings")
    assert (rating["trials"], rating["events"], rating["raw_rate"]) == (100, None, 3.49)
    assert rating["raw_rate"] < rating["expected"]


def test_ordinary_tutors_are_left_alone(tutors: dict[str, Any]) -> None:
    ordinary = [tutor for name, tutor in tutors.items() if name.startswith("ordinary")]
    assert len(ordinary) == ORDINARY_TUTORS
    assert sum(tutor["attention"] for tutor in ordinary) <= 0.05 * ORDINARY_TUTORS


def test_excusing_a_sick_morning_clears_the_concern(client: httpx2.Client, tutors: dict[str, Any]) -> None:
    before = tutors["was_ill_one_morning"]
    assert before["concerns"]
    (morning,) = client.get(f"{ILL}/history").json()["data"]["episodes"]
    assert (morning["day"], morning["reason_code"], morning["let_downs"]) == (
        str(AS_OF - timedelta(SICK_ON)),
        "sick",
        5,
    )
    excused = client.post(f"{ILL}/days/{morning['day']}/excuse", json={"reason": "a doctor's note"})
    assert len(excused.raise_for_status().json()["data"]) == 5
    after = client.get(ILL).json()["data"]
    assert after["let_downs_90d"] == before["let_downs_90d"] - 5
    assert after["sessions_90d"] == before["sessions_90d"]
    assert not after["attention"]
    assert {concern["status"] for concern in after["concerns"]} <= {"ok", "insufficient_data"}
