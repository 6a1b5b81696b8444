"""What became of cases, counted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from api.cases.outcomes import OutcomesResponse
from core.roles import Role
from tests.api.conftest import Served, served
from tests.api.test_auth_sessions import new_key, person
from tests.api.test_openapi import assert_is
from tests.api.test_problems import problem
from tests.conftest import PUBLISHED, Postgres

if TYPE_CHECKING:
    import httpx2

PATH = "/api/cases/outcomes"
# As-of day 2026-01-31. Number, opened on, state, reason, owner, days to the contact, what was agreed.
CASES = [
    (1, "2026-01-31", "new", None, None, None, None),
    (2, "2026-01-02", "assigned", None, "Ann", None, None),
    (3, "2026-01-01", "resolved", "improved", "Ann", 2, "training"),
    (4, "2025-12-31", "resolved", "improved", "Ann", 4, "training"),
    (5, "2025-11-02", "dismissed", "left", "Ben", 9, "nothing"),
    (6, "2025-10-31", "resolved", "no_effect", "Ben", 1, "training"),
]
# Of which tutor something is raised after 30 and after 90 days.
FLAGS = [
    (3, "2025-12-20", "2026-02-01"),
    (4, "2025-12-20", "2026-01-30"),
    (5, "2025-12-02", "2025-12-03"),
    (6, "2025-10-31", "2026-02-01"),
]


@pytest.fixture(scope="module")
def platform(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("outcomes")
    with served(postgres.new_database(home, PUBLISHED), home) as platform:
        owners = {name: person(platform, Role.COACH, name).person_id for name in ("Ann", "Ben")}
        with platform.database.connect() as connection:
            connection.execute("alter table app.case_events disable trigger append_only")
            connection.execute("delete from app.case_events")
            connection.execute("alter table app.case_events enable trigger append_only")
            connection.execute("delete from app.cases")
            for number, opened_on, state, reason, owner, days, action in CASES:
                connection.execute(
                    """
                    insert into app.cases (
                        case_id, tutor_id, state, reason, owner_id, concerns, opened_by, opened_on, opened_at, closed_at
                    )
                    overriding system value
                    values (%(id)s, md5(%(id)s::text)::uuid, %(state)s, %(reason)s, %(owner)s, '{no_shows}', 'tutorq',
                        %(on)s, %(on)s::date + time '12:00', case when %(reason)s::text is not null then now() end)
                    """,
                    {"id": number, "state": state, "reason": reason, "owner": owners.get(owner or ""), "on": opened_on},
                )
                if days is not None:
                    connection.execute(
                        """
                        insert into app.case_events (case_id, kind, happened_at, actor, version, details)
                        select case_id, 'contact', opened_at + make_interval(days => %s), 'Ann', 2,
                            jsonb_build_object('channel', 'call', 'action', %s::text)
                        from app.cases where case_id = %s
                        """,
                        (days, action, number),
                    )
            for number, raised_on, cleared_on in FLAGS:
                connection.execute(
                    """
                    insert into app.concern_stretches (
                        tutor_id, concern, raised_on, cleared_on, probability_when_raised, probability_when_cleared,
                        high_days
                    )
                    values (md5(%s::text)::uuid, 'no_shows', %s, %s, 0.9, 0.4, '{}')
                    """,
                    (number, raised_on, cleared_on),
                )
        yield platform


@pytest.fixture(scope="module")
def reader(platform: Served) -> Iterator[httpx2.Client]:
    with platform.client(new_key(platform, "reader", Role.READ)) as client:
        yield client


def outcomes(reader: httpx2.Client, **wanted: Any) -> Any:
    response = reader.get(PATH, params=wanted)
    assert response.status_code == 200, response.text
    assert_is(OutcomesResponse, response.content)
    return response.json()["data"]


def test_all_cases_of_the_months(reader: httpx2.Client) -> None:
    assert outcomes(reader, months=4)["all_cases"] == {
        "opened": 6,
        "closed": 4,
        "contacted": 4,
        "median_days_to_contact": 3,
        # 30 days after 2 January are not over: the first of them is 3. Of 5 the tutor has left.
        "known_after_30_days": 3,
        "raised_after_30_days": 2,
        "share_raised_after_30_days": 2 / 3,
        "known_after_90_days": 1,
        "raised_after_90_days": 1,
        "share_raised_after_90_days": 1,
    }


def test_months_are_those_of_the_calendar(reader: httpx2.Client) -> None:
    found = outcomes(reader, months=3)
    assert [(each["month"], each["opened"]) for each in found["by_month"]] == [
        ("2026-01-01", 3),
        ("2025-12-01", 1),
        ("2025-11-01", 1),
    ]
    # The one of 31 October is out.
    assert found["all_cases"]["opened"] == 5
    assert [each["month"] for each in outcomes(reader, months=1)["by_month"]] == ["2026-01-01"]


def test_a_month_without_cases_is_listed_with_none(reader: httpx2.Client) -> None:
    oldest = outcomes(reader, months=5)["by_month"][-1]
    assert (oldest["month"], oldest["opened"], oldest["median_days_to_contact"]) == ("2025-09-01", 0, None)
    assert oldest["share_raised_after_30_days"] is None


def test_by_owner_action_and_reason(reader: httpx2.Client) -> None:
    found = outcomes(reader, months=4)
    assert [(each["owner_name"], each["opened"], each["closed"]) for each in found["by_owner"]] == [
        ("Ann", 3, 2),
        ("Ben", 2, 2),
        (None, 1, 0),
    ]
    assert [(each["action"], each["opened"], each["raised_after_30_days"]) for each in found["by_action"]] == [
        ("training", 3, 2),
        (None, 2, 0),
        ("nothing", 1, 0),
    ]
    assert found["reasons"] == [
        {"reason": "improved", "cases": 2},
        {"reason": "left", "cases": 1},
        {"reason": "no_effect", "cases": 1},
    ]


def test_the_cases_behind_each_row_can_be_listed(reader: httpx2.Client) -> None:
    """Of every queue, so that open ones count, too."""
    queues = ["todo", "due", "waiting", "closed"]

    def listed(**filters: Any) -> tuple[int, int]:
        page = reader.get("/api/cases", params={"queue": queues, "opened_since": since, **filters})
        assert page.status_code == 200, page.text
        meta = page.json()["meta"]
        return meta["total"], meta["queues"]["closed"]

    for months in (2, 4):
        found = outcomes(reader, months=months)
        since = found["by_month"][-1]["month"]
        assert listed() == (found["all_cases"]["opened"], found["all_cases"]["closed"])
        for row in found["reasons"]:
            assert listed(reason=row["reason"]) == (row["cases"], row["cases"])
        for row in found["by_owner"]:
            assert listed(owner=row["owner_id"] or "nobody") == (row["opened"], row["closed"])
        for row in found["by_action"]:
            wanted = {"last_action": row["action"]} if row["action"] else {"contacted": False}
            assert listed(**wanted) == (row["opened"], row["closed"])
        for row, later in zip(found["by_month"], [{"month": None}, *found["by_month"]], strict=False):
            until = {"opened_until": later["month"]} if later["month"] else {}
            assert listed(opened_since=row["month"], **until) == (row["opened"], row["closed"])
    since = "2025-01-01"
    assert listed(last_action=["training", "nothing"]) == listed(contacted=True) == (4, 4)
    assert listed(reason="left", last_action="training") == (0, 0)


def test_a_range_that_is_none(reader: httpx2.Client) -> None:
    for wanted in ({"months": 0}, {"months": 37}, {"years": 1}):
        problem(reader.get(PATH, params=wanted), 400)
