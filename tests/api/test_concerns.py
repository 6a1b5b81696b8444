"""Concerns about tutors: who has which, in which order, and in what words."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import httpx2
import pytest
from psycopg.rows import dict_row

from core.concerns import ConcernName
from tests.api.conftest import Served
from tests.api.test_tutors import tutors

# About tutors of whom none is raised otherwise: T-1 got worse, T-2 has three concerns, T-3 is on watch only.
ADDED = """
insert into marts.tutor_concerns (
    concern_key, tutor_id, concern, as_of, status, superseded, probability, threshold, trials, events, expected, low,
    high, raised_on, last_high_on, clears_on
)
select
    'added ' || new.external_id || new.concern, tutor_id, new.concern, date '2026-01-31', new.status, false,
    new.probability, new.threshold, new.trials, new.events, 0.2, new.low, new.high, new.raised_on, new.raised_on,
    new.raised_on + 60
from (
    values
    ('T-1', 'getting_worse', 'raised', 0.87, 0.15, 40, 9, 0.161, 0.32, date '2026-01-31'),
    ('T-2', 'low_ratings', 'raised', 0.93, 4.1, 18, null, 3.2, 3.8, date '2026-01-20'),
    ('T-2', 'no_shows', 'raised', 0.999, 0.03, 45, 4, 0.04, 0.12, date '2026-01-10'),
    ('T-2', 'late_starts', 'raised', 0.81, 0.1, 30, 7, 0.11, 0.3, date '2026-01-15'),
    ('T-3', 'late_starts', 'watch', 0.6, 0.1, 30, 4, 0.06, 0.2, null)
) as new (external_id, concern, status, probability, threshold, trials, events, low, high, raised_on)
inner join marts.tutor_scores using (external_id)
"""
TOLD = "select marts.keep_tutor_rows(null), marts.note_refresh()"
NAMED = """
update marts.tutor_scores
set
    attention = true,
    concerns = case external_id when 'T-1' then '{getting_worse}' else '{no_shows,late_starts,low_ratings}' end::text[]
where external_id in ('T-1', 'T-2')
"""


@pytest.fixture(scope="module")
def raised(published: Served) -> Iterator[None]:
    """Some concerns beside those that dbt has raised."""
    with published.database.connect(autocommit=True) as connection:
        connection.execute("create table public.kept as select * from marts.tutor_concerns")
        connection.execute("create table public.kept_scores as select * from marts.tutor_scores")
        connection.execute(
            """
            delete from marts.tutor_concerns using marts.tutor_scores
            where tutor_scores.tutor_id = tutor_concerns.tutor_id and external_id in ('T-1', 'T-2', 'T-3')
            """
        )
        connection.execute(ADDED)
        connection.execute(NAMED)
        connection.execute(TOLD)
        yield
        connection.execute("delete from marts.tutor_concerns")
        connection.execute("insert into marts.tutor_concerns select * from public.kept")
        connection.execute("delete from marts.tutor_scores")
        connection.execute("insert into marts.tutor_scores select * from public.kept_scores")
        connection.execute(TOLD)
        connection.execute("drop table public.kept, public.kept_scores")


pytestmark = pytest.mark.usefixtures("raised")


def stored(published: Served, where: str) -> list[dict[str, Any]]:
    with published.database.connect() as connection, connection.cursor(row_factory=dict_row) as cursor:
        query = f"""
        select tutor_concerns.*, is_active from marts.tutor_concerns
        inner join marts.tutor_scores using (tutor_id)
        where {where}
        """
        return cursor.execute(query.encode()).fetchall()


def test_rows_name_what_is_raised_in_the_fixed_order(published: Served, client: httpx2.Client) -> None:
    expected: dict[str, set[str]] = {}
    for row in stored(published, "status = 'raised' and not superseded"):
        expected.setdefault(str(row["tutor_id"]), set()).add(row["concern"])
    listed = tutors(client)
    for row in listed:
        concerns = expected.get(row["tutor_id"], set())
        assert row["concerns"] == [name for name in ConcernName if name in concerns]
        assert row["attention"] == bool(concerns)
    assert next(row["concerns"] for row in listed if row["external_id"] == "T-2") == [
        "no_shows",
        "late_starts",
        "low_ratings",
    ]
    assert any("unreliable" in row["concerns"] for row in listed)
    assert {row["attention"] for row in listed} == {True, False}


def test_filter_by_attention_and_by_any_of_some_concerns(client: httpx2.Client) -> None:
    everyone = tutors(client)
    for wanted in (True, False):
        assert [row["tutor_id"] for row in tutors(client, attention=wanted)] == [
            row["tutor_id"] for row in everyone if row["attention"] is wanted
        ]
    assert [row["external_id"] for row in tutors(client, concern="late_starts")] == ["T-2"], "T-3 is only on watch"
    found = tutors(client, concern=["getting_worse", "no_shows"], sort_by="name", sort_order="asc")
    assert {"T-1", "T-2"} <= {row["external_id"] for row in found}
    for row in found:
        assert {"getting_worse", "no_shows"} & set(row["concerns"])
    points = client.get("/api/funnel?concern=getting_worse&concern=no_shows").json()["data"]["points"]
    assert {point["external_id"]: point["concerns"] for point in points} == {
        row["external_id"]: row["concerns"] for row in found
    }


def test_an_unknown_concern_is_refused(client: httpx2.Client) -> None:
    response = client.get("/api/tutors?concern=no_show")
    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == ["concern.0"]


def test_who_is_of_concern_comes_first_by_sessions_at_risk(published: Served, client: httpx2.Client) -> None:
    """The rate of the last 30 days counts of who got worse within four weeks, if it is higher than what is expected."""
    recently = "concern = 'getting_worse' and status = 'raised' and (not superseded or raised_on >= date '2026-01-04')"
    got_worse = {str(row["tutor_id"]) for row in stored(published, recently)}
    listed = tutors(client, sort_by="attention")
    attention = [row["attention"] for row in listed]
    assert attention == sorted(attention, reverse=True)

    def at_risk(row: dict[str, Any]) -> tuple[float, float]:
        now = (row["planned_sessions_7d"] or 0) * (row["let_down_rate_30d"] or 0)
        harm = row["harm_sessions"] or 0
        return (max(harm, now) if row["tutor_id"] in got_worse else harm), row["risk_probability"] or 0

    of_concern = [row for row in listed if row["attention"]]
    assert [at_risk(row) for row in of_concern] == sorted(map(at_risk, of_concern), reverse=True)
    assert len(got_worse) > 1
    assert len(of_concern) > len(got_worse) + 2


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("bjorn", {"Björn"}),
        ("celik", {"Çelik"}),
        ("ÉMILE", {"Émile"}),
        ("emile tutor", {"Émile"}),
        ("gråce", {"Grace"}),
    ],
)
def test_search_ignores_accents_and_case(client: httpx2.Client, text: str, names: set[str]) -> None:
    found = tutors(client, search=text)
    assert {row["name"].split()[0] for row in found} == names


def test_letters_that_are_no_accents_are_found_too(published: Served, client: httpx2.Client) -> None:
    change = "update marts.tutor_scores set name = %s where external_id = 'T-5'"
    with published.database.connect(autocommit=True) as connection:
        (name,) = connection.execute("select name from marts.tutor_scores where external_id = 'T-5'").fetchone() or (
            "",
        )
        connection.execute(change, ["Łukasz Großmann-Sørensen"])
        try:
            for text in ("lukasz", "grossmann", "GROẞMANN", "sorensen", "ŁUKASZ"):
                assert [row["external_id"] for row in tutors(client, search=text)] == ["T-5"], text
        finally:
            connection.execute(change, [name])


def test_a_tutor_has_all_that_is_known_of_each_concern(published: Served, client: httpx2.Client) -> None:
    known = {row["concern"]: row for row in stored(published, "external_id = 'T-2'")}
    body = client.get("/api/tutors/T-2").json()
    concerns = body["data"]["concerns"]
    assert [concern["concern"] for concern in concerns] == ["no_shows", "late_starts", "low_ratings"]
    for concern in concerns:
        row = known[concern["concern"]]
        for column, value in row.items():
            if column not in ("concern_key", "tutor_id", "as_of", "is_active"):
                assert concern[column] == (value.isoformat() if isinstance(value, date) else value), column
    assert concerns[0]["sentence"] == (
        "The tutor missed 4 of 45 sessions in 90 days. From now on, 4.0% to 12% is likely, because the last "
        "weeks weigh more; the chance that it is above the limit of 3.0% is more than 99%."
    )
    assert concerns[0]["ending"] == "Ends on 11 March 2026 if no session is missed until then."
    (watched,) = client.get("/api/tutors/T-3").json()["data"]["concerns"]
    assert (watched["status"], watched["ending"], watched["raised_on"]) == ("watch", None, None)


def test_a_sudden_change_is_told_as_the_change(published: Served, client: httpx2.Client) -> None:
    change = "update marts.tutor_scores set let_down_rate_30d = %s, trend_30d = %s where external_id = 'T-1'"
    with published.database.connect(autocommit=True) as connection:
        before = connection.execute(
            "select let_down_rate_30d, trend_30d from marts.tutor_scores where external_id = 'T-1'"
        ).fetchone()
        connection.execute(change.encode(), [0.26, 0.12])
        try:
            for path in ("/api/tutors/T-1", "/api/tutors/T-1/explanation"):
                (sudden,) = client.get(path).json()["data"]["concerns"]
                assert sudden["sentence"].startswith("14% → 26% in the last 30 days. The tutor moved, ")
        finally:
            connection.execute(change.encode(), before)


def test_nobody_is_fine_about_whom_a_concern_is_raised(published: Served, client: httpx2.Client) -> None:
    assert client.get("/api/tutors/T-2").json()["data"]["risk_status"] == "ok"
    data = client.get("/api/tutors/T-2/explanation").json()["data"]
    assert data["sentence"] == "Needs attention since 10 January 2026: no-shows, late starts, low ratings."
    assert data["attention"] is True
    assert data["concerns"] == client.get("/api/tutors/T-2").json()["data"]["concerns"]
    watched = client.get("/api/tutors/T-3/explanation").json()["data"]
    assert watched["attention"] is False
    assert watched["sentence"].startswith("Fine")
    for row in tutors(client, attention=True):
        sentence = client.get(f"/api/tutors/{row['tutor_id']}/explanation").json()["data"]["sentence"]
        assert sentence.startswith("Needs attention since ")


def test_the_overview_counts_active_tutors_of_each_concern(published: Served, client: httpx2.Client) -> None:
    raised = [row for row in stored(published, "status = 'raised' and not superseded") if row["is_active"]]
    data = client.get("/api/overview").json()["data"]
    assert [count["concern"] for count in data["concerns"]] == list(ConcernName)
    for count in data["concerns"]:
        assert count["tutors"] == sum(row["concern"] == count["concern"] for row in raised)
    counts = {count["concern"]: count for count in data["concerns"]}
    assert counts["getting_worse"]["raised_today"] >= 1
    assert counts["no_shows"]["raised_today"] == 0
    assert data["attention"] == len({row["tutor_id"] for row in raised})


def test_the_overview_counts_who_came_and_went_since_the_day_before(published: Served, client: httpx2.Client) -> None:
    def counted() -> dict[str, int]:
        data = client.get("/api/overview").json()["data"]
        cleared = {f"cleared {each['concern']}": each["cleared_today"] for each in data["concerns"]}
        return cleared | {name: data[f"attention_{name}_today"] for name in ("began", "ended")}

    before = counted()
    since = {str(row["tutor_id"]): row["raised_on"] for row in stored(published, "status = 'raised' and is_active")}
    for row in stored(published, "status = 'raised' and is_active"):
        since[str(row["tutor_id"])] = min(since[str(row["tutor_id"])], row["raised_on"])
    began = {tutor_id for tutor_id, day in since.items() if day == date(2026, 1, 31)}
    assert str(stored(published, "external_id = 'T-1'")[0]["tutor_id"]) in began
    assert before["began"] == len(began)
    with published.database.connect(autocommit=True) as connection:
        # T-3 is on watch only today; of T-2 one concern goes on, and another one has ended.
        connection.execute(
            """
            insert into app.concern_stretches (tutor_id, concern, raised_on, probability_when_raised, high_days)
            select tutor_id, concern, date '2026-01-20', 0.9, '{2026-01-20}'
            from (
                values ('T-3', 'late_starts'), ('T-2', 'no_shows'), ('T-2', 'unreliable')
            ) as new (external_id, concern)
            inner join marts.tutor_scores using (external_id)
            """
        )
        try:
            after = counted()
        finally:
            connection.execute(
                """
                delete from app.concern_stretches using marts.tutor_scores
                where tutor_scores.tutor_id = concern_stretches.tutor_id and external_id in ('T-2', 'T-3')
                    and raised_on = '2026-01-20'
                """
            )
    changed = {name: count - before[name] for name, count in after.items() if count != before[name]}
    assert changed == {"cleared late_starts": 1, "cleared unreliable": 1, "ended": 1}


def test_newest_concerns_are_raised_about_active_tutors(published: Served, client: httpx2.Client) -> None:
    newest = client.get("/api/overview").json()["data"]["newest_concerns"]
    raised = [row for row in stored(published, "status = 'raised' and not superseded") if row["is_active"]]
    days = sorted((row["raised_on"].isoformat() for row in raised), reverse=True)
    assert [concern["raised_on"] for concern in newest] == days[:10]
    known = {(str(row["tutor_id"]), row["concern"]) for row in raised}
    assert {(concern["tutor_id"], concern["concern"]) for concern in newest} <= known
