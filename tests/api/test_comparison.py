"""One tutor beside all others, and all tutors together, over HTTP."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import yaml

from api.comparison.schemas import NOTICE_DAYS, RETENTION_DAYS
from api.todays_sessions.schemas import SessionCounts
from core.settings import PROJECT_ROOT
from tests.api.conftest import Served


@pytest.fixture(scope="module")
def tutors(client: httpx2.Client) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = client.get("/api/tutors?limit=500&sort_by=sessions_90d").json()["data"]
    return rows


def comparison(client: httpx2.Client, tutor: dict[str, Any]) -> dict[str, Any]:
    answer = client.get(f"/api/tutors/{tutor['tutor_id']}/comparison")
    assert answer.status_code == 200
    data: dict[str, Any] = answer.json()["data"]
    return data


def test_bins_hold_every_rated_tutor_once(client: httpx2.Client, tutors: list[dict[str, Any]]) -> None:
    rated = [row for row in tutors if row["risk_status"] != "insufficient_data" and row["quality_score"] is not None]
    expected = Counter(min(19, int(row["quality_score"] // 5)) for row in rated)
    quality = comparison(client, rated[0])["quality"]
    assert [(each["from_score"], each["to_score"], each["tutors"]) for each in quality["bins"]] == [
        (5 * place, 5 * place + 5, expected[place]) for place in range(20)
    ]
    assert quality["rated_tutors"] == len(rated) > 20
    assert (quality["score"], quality["percentile"]) == (rated[0]["quality_score"], rated[0]["peer_percentile"])
    lower = sum(row["quality_score"] < rated[0]["quality_score"] for row in rated)
    assert quality["percentile"] == pytest.approx(lower / (len(rated) - 1))


def test_a_tutor_without_enough_sessions_is_not_rated(client: httpx2.Client, tutors: list[dict[str, Any]]) -> None:
    few = next(row for row in tutors if row["risk_status"] == "insufficient_data")
    assert comparison(client, few)["quality"]["percentile"] is None


def test_notice_adds_up_to_the_counts_of_the_scores(client: httpx2.Client, tutors: list[dict[str, Any]]) -> None:
    totals = Counter[str]()
    for row in tutors:
        notice = comparison(client, row)["notice"]
        own = notice["tutor"]
        assert own["short"] == row["short_notice_90d"]
        known = sum(band["tutor"] for band in notice["bands"])
        assert own["called_off"] - own["unknown"] == known
        shares = [band["tutor_share"] for band in notice["bands"]]
        if known == 0:
            assert (set(shares), own["short_share"]) == ({None}, None)
        else:
            assert sum(shares) == pytest.approx(1)
            assert own["short_share"] == pytest.approx(own["short"] / known)
        totals.update({name: own[name] for name in ("called_off", "short", "unknown")})
    platform = client.get("/api/platform").json()["data"]["notice"]
    assert {name: platform["totals"][name] for name in totals} == dict(totals)
    assert min(totals.values()) > 0
    assert [band["called_off"] for band in platform["bands"]] == [band["platform"] for band in notice["bands"]]
    assert [band["is_short"] for band in platform["bands"]] == [True] * 5 + [False] * 4
    assert platform["bands"][5]["from_hours"] == platform["short_notice_hours"] == 24
    assert sum(band["share"] for band in platform["bands"]) == pytest.approx(1)


def test_retention_of_all_is_the_sum_of_each(client: httpx2.Client, tutors: list[dict[str, Any]]) -> None:
    came, students = Counter[int](), 0
    for row in tutors:
        retention = comparison(client, row)["retention"]
        students += retention["students"]
        steps = retention["steps"]
        assert [step["session_number"] for step in steps] == list(range(1, 9))
        assert [step["tutor"] for step in steps] == sorted((step["tutor"] for step in steps), reverse=True)
        assert steps[0]["tutor"] == retention["students"]
        assert steps[0]["tutor_share"] == (1 if retention["students"] else None)
        came.update({step["session_number"]: step["tutor"] for step in steps})
    assert retention["platform_students"] == students > 0
    assert {step["session_number"]: step["platform"] for step in steps} == came
    assert [step["platform_share"] for step in steps] == pytest.approx([came[n] / students for n in range(1, 9)])
    assert retention["least_students"] == 5


def test_days_are_those_of_the_marts() -> None:
    variables = yaml.safe_load((PROJECT_ROOT / "dbt_project" / "dbt_project.yml").read_text())["vars"]
    assert (variables["notice_days"], variables["retention_days"]) == (NOTICE_DAYS, RETENTION_DAYS)


def test_a_tutor_is_found_by_either_id_or_not_at_all(client: httpx2.Client, tutors: list[dict[str, Any]]) -> None:
    known = next(row for row in tutors if row["external_id"])
    by_own_id = client.get(f"/api/tutors/{known['external_id']}/comparison").json()["data"]
    assert by_own_id == comparison(client, known)
    assert client.get("/api/tutors/nobody/comparison").status_code == 404
    assert client.get(f"/api/tutors/{known['tutor_id']}/comparison?days=7").status_code == 400


def test_weeks_of_attention_end_with_those_who_need_it_now(published: Served, client: httpx2.Client) -> None:
    data = client.get("/api/platform").json()["data"]
    overview = client.get("/api/overview").json()["data"]
    weeks = data["attention_weeks"]
    with published.database.connect() as connection:
        rows = connection.execute("select week_start::text from marts.attention_weekly order by 1").fetchall()
    assert [week["week_start"] for week in weeks] == [row[0] for row in rows]
    assert weeks[-1]["tutors"] == overview["attention"] + data["inactive_with_attention"] > 0
    # The as-of day is a Saturday.
    assert [week["is_complete"] for week in weeks] == [True] * (len(weeks) - 1) + [False]


@pytest.fixture
def planned(published: Served) -> Iterator[None]:
    """Sessions of the as-of day and of those around it, besides the few of the marketplace."""
    insert = """
        insert into raw.sessions (session_id, tutor_id, student_id, status, initiator, scheduled_time)
        select
            md5('of the day ' || i)::uuid, md5('tutor' || tutor)::uuid, md5('student1')::uuid, status, initiator,
            scheduled_time::timestamptz
        from (
            values
            (1, 6, 'scheduled', null, '2026-01-31 16:00+00'),
            (2, 6, 'scheduled', null, '2026-01-31 16:59+00'),
            (3, 40, 'scheduled', null, '2026-01-31 23:59+00'),
            (4, 6, 'scheduled', null, '2026-02-01 00:00+00'),
            (5, 6, 'cancelled', 'student', '2026-01-31 18:00+00')
        ) as sessions (i, tutor, status, initiator, scheduled_time)
    """
    with published.database.connect() as connection:
        connection.execute("alter table raw.sessions disable trigger user")
        connection.execute(insert)
    yield
    with published.database.connect() as connection:
        connection.execute(
            "delete from raw.sessions where session_id = any(select md5('of the day ' || i)::uuid"
            " from generate_series(1, 5) as i)"
        )
        connection.execute("alter table raw.sessions enable trigger user")


def test_sessions_of_the_day_are_each_in_one_count(
    published: Served, client: httpx2.Client, planned: None, tutors: list[dict[str, Any]]
) -> None:
    answer = client.get("/api/sessions/today")
    assert answer.status_code == 200
    data = answer.json()["data"]
    with published.database.connect() as connection:
        rows = connection.execute(
            "select extract(hour from scheduled_time)::integer, count(*) from raw.sessions"
            " where scheduled_time >= '2026-01-31' and scheduled_time < '2026-02-01' group by 1 order by 1"
        ).fetchall()
    names = list(SessionCounts.model_fields)
    assert [(each["hour"], sum(each[name] for name in names)) for each in data["hours"]] == rows
    assert data["totals"] == {name: sum(each[name] for each in data["hours"]) for name in names}
    assert data["sessions"] == sum(data["totals"].values())
    hours = {each["hour"]: each for each in data["hours"]}
    # Every sixth tutor moves a third of all sessions; of the last one, nothing is known.
    assert (hours[16]["high"], hours[23]["unknown"], hours[18]["other"]) == (2, 1, 1)
    assert data["timezone"] == "UTC"
