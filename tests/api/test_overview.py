"""The platform at a glance."""

from collections import Counter

import httpx2

from tests.api.conftest import Served


def test_counts_are_of_active_tutors(client: httpx2.Client) -> None:
    data = client.get("/api/overview").json()["data"]
    active = client.get("/api/tutors?is_active=true&limit=500").json()["data"]
    counts = Counter(row["risk_status"] for row in active)
    assert [status["risk_status"] for status in data["risk_status"]] == [
        "high_risk",
        "watch",
        "ok",
        "insufficient_data",
    ]
    assert {status["risk_status"]: status["tutors"] for status in data["risk_status"]} == {
        "watch": 0,
        "insufficient_data": 0,
    } | counts
    assert data["active_tutors"] == len(active)


def test_change_is_since_the_newest_earlier_day(published: Served, client: httpx2.Client) -> None:
    # The fixture has all of today's high risks on watch the day before.
    data = client.get("/api/overview").json()["data"]
    now = {status["risk_status"]: status for status in data["risk_status"]}
    assert data["compared_with"] == "2026-01-30"
    assert now["high_risk"]["change"] == now["high_risk"]["tutors"] > 0
    assert now["watch"]["change"] == -now["high_risk"]["tutors"]
    assert now["ok"]["change"] == 0
    with published.database.connect() as connection:
        connection.execute("create table public.kept as select * from marts.score_history where as_of < '2026-01-31'")
        connection.execute("delete from marts.score_history where as_of < '2026-01-31'")
    try:
        data = client.get("/api/overview").json()["data"]
    finally:
        with published.database.connect() as connection:
            connection.execute("insert into marts.score_history select * from public.kept")
            connection.execute("drop table public.kept")
    assert data["compared_with"] is None
    assert {status["change"] for status in data["risk_status"]} == {None}


def test_weeks_and_rates_are_those_of_the_marts(published: Served, client: httpx2.Client) -> None:
    data = client.get("/api/overview").json()["data"]
    with published.database.connect() as connection:
        weeks = connection.execute("select week_start::text from marts.platform_weekly order by 1").fetchall()
        baseline = connection.execute(
            "select let_down_rate_90d, tutor_no_show_rate_90d from marts.platform_baseline"
        ).fetchone()
    assert [week["week_start"] for week in data["weeks"]] == [row[0] for row in weeks]
    assert (data["platform"]["let_down_rate_90d"], data["platform"]["tutor_no_show_rate_90d"]) == baseline
    assert data["rules"]["risk_threshold"] == 0.15
    assert data["rules"]["reliability_counts"] == ["reschedules", "cancellations", "no_shows"]
