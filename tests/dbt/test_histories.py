"""What is kept by day and week is what a look at all of it would give, whichever days were asked for before."""

from __future__ import annotations

import random
from importlib import import_module
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.dbt.test_incremental import change_something

if TYPE_CHECKING:
    from core.database import Database
    from tests.dbt.conftest import Dbt

WEEKS = """
select tutor_id, date_trunc('week', counted_on::timestamp)::date as week_start, sum(sessions), sum(rating_sum)
from intermediate.int_tutor_days
where counted_on <= %(as_of)s and counted_on >= date_trunc('week', %(as_of)s::date::timestamp)::date - 51 * 7
group by tutor_id, week_start
order by tutor_id, week_start
"""
# Since when a status holds, day by day, as a reader would find it out.
STRETCHES = """
with recursive days as (
    select history.* from marts.score_history as history
    where not exists (
        select from marts.score_history as before
        where before.tutor_id = history.tutor_id and before.as_of = history.as_of - 1
    )
),

walked as (
    select tutor_id, as_of, risk_status, as_of as since from days
    union all
    select
        history.tutor_id, history.as_of, history.risk_status,
        case when history.risk_status = walked.risk_status then walked.since else history.as_of end
    from walked
    inner join marts.score_history as history
        on history.tutor_id = walked.tutor_id and history.as_of = walked.as_of + 1
)

select tutor_id, as_of, since from walked order by tutor_id, as_of
"""
KEPT = "select tutor_id, as_of, risk_status_since from marts.score_history order by tutor_id, as_of"


def rows(connection: psycopg.Connection, query: str, **parameters: object) -> list[Any]:
    return connection.execute(query.encode(), parameters).fetchall()


# Within a week, back and forth over its end, by months, and so far on that the first weeks fall out.
@pytest.mark.parametrize(
    "days",
    [
        ["2024-07-01", "2024-03-13"],
        pytest.param(
            ["2024-06-28", "2024-06-30", "2024-07-01", "2024-06-26", "2024-03-13", "2024-03-14", "2025-05-20"],
            marks=pytest.mark.soak,
        ),
    ],
    ids=["some", "all"],
)
def test_weeks_follow_the_day_and_the_changes(
    built: Dbt, database: Database, connection: psycopg.Connection, days: list[str]
) -> None:
    chance = random.Random(7)
    models = ("int_session_facts", "int_tutor_days", "int_as_of", "int_tutor_weeks", "platform_weekly", "tutor_weekly")
    for as_of in days:
        for changes in (0, 30):
            with database.connect() as writer:
                for _ in range(changes):
                    change_something(writer, chance)
            built("run", "--select", *models, as_of=as_of)
            expected = rows(connection, WEEKS, as_of=as_of)
            assert expected
            kept = "select tutor_id, week_start, sessions, rating_sum from intermediate.int_tutor_weeks order by 1, 2"
            assert rows(connection, kept) == expected
            sums = rows(connection, "select week_start, sum(sessions) from marts.tutor_weekly group by 1 order by 1")
            assert sums == rows(connection, "select week_start, sessions from marts.platform_weekly order by 1")
    built("run", "--select", *models)


@pytest.mark.soak
def test_a_status_lasts_from_the_first_of_its_days_in_a_row(built: Dbt, connection: psycopg.Connection) -> None:
    # The mean rate of let-downs here: most tutors are near it.
    near = {"risk_threshold": 0.36}
    built("run", **near)
    connection.execute("truncate marts.score_history")
    batches = (
        ["2024-06-10", "2024-06-12", "2024-06-15"],  # with gaps
        ["2024-06-11"],  # closes one
        [f"2024-06-{day:02}" for day in range(2, 9)],  # before all others
        [f"2024-06-{day:02}" for day in range(9, 30)],  # all are in a row now
        ["2024-05-31"],
    )
    for days in batches:
        built("run", "--select", "score_history", "tutor_scores", scoring_days=days, **near)
        assert rows(connection, KEPT) == rows(connection, STRETCHES)
    changes = "select count(*) from marts.score_history where risk_status_since between '2024-06-03' and as_of - 1"
    assert rows(connection, changes)[0][0] > 5, "some tutors change their status, or the test shows nothing"
    as_of = "select count(*) from marts.tutor_scores where risk_status_since < as_of"
    assert rows(connection, as_of)[0][0] > 20
    # A day that is scored anew after the fact joins on, and what comes after it does, too.
    connection.execute("update marts.score_history set risk_status_since = as_of where as_of >= '2024-06-20'")
    built("run", "--select", "score_history", scoring_days=["2024-06-20"], **near)
    assert rows(connection, KEPT) == rows(connection, STRETCHES)
    built("run")


@pytest.mark.soak
def test_an_older_history_learns_since_when(built: Dbt, connection: psycopg.Connection) -> None:
    built("run", scoring_days=["2024-06-26", "2024-06-28", "2024-06-29"])
    kept = rows(connection, KEPT)
    with connection.transaction(force_rollback=True):
        connection.execute("alter table marts.score_history drop column risk_status_since cascade")
        connection.execute(import_module("core.migrations.versions.0009_status_stretches").RISK_STATUS_SINCE)
        assert rows(connection, KEPT) == kept


def test_since_when_is_not_known_until_the_day_before_is_recorded(built: Dbt, connection: psycopg.Connection) -> None:
    known = "select count(risk_status_since), count(*) from marts.tutor_scores"
    connection.execute("delete from marts.score_history where as_of < (select as_of from marts.publication)")
    built("run", "--select", "tutor_scores")
    (found,) = rows(connection, known)
    assert found[0] == 0, "and not today for everybody"
    (day_before,) = rows(connection, "select (as_of - 1)::text from marts.publication")
    built("run", "--select", "score_history", scoring_days=[day_before[0]])
    built("run", "--select", "tutor_scores")
    (found,) = rows(connection, known)
    assert found[0] == found[1] > 0


def test_a_metric_that_is_new_is_null_on_the_days_before(built: Dbt, connection: psycopg.Connection) -> None:
    connection.execute("truncate marts.score_history")
    built("run", "--select", "score_history", scoring_days=["2024-06-28", "2024-06-29"])
    # As it was left by a version that did not know of it.
    connection.execute("alter table marts.score_history drop column short_notice_90d cascade")
    try:
        built("run", "--select", "score_history", scoring_days=["2024-06-29"])
        known = "select as_of::text, bool_and({} is not null) from {}.score_history group by as_of order by as_of"
        for schema in ("marts", "analytics"):
            kept = [("2024-06-28", True), ("2024-06-29", True), ("2024-06-30", True)]
            assert rows(connection, known.format("tutor_reschedules_90d", schema)) == kept
            learnt = [("2024-06-28", False), ("2024-06-29", True), ("2024-06-30", True)]
            assert rows(connection, known.format("short_notice_90d", schema)) == learnt
    finally:
        # The column came back as the last one; other tests compare the order.
        connection.execute("drop table marts.score_history cascade")
        built("run", "--select", "score_history")


def test_what_is_older_than_all_windows_is_added_up_without_a_difference(
    built: Dbt, connection: psycopg.Connection
) -> None:
    histories = ("int_tutor_histories", "int_tutor_histories_of_pairs")
    try:
        built("run", "--select", *histories, session_training_days=10, first_session_window_days=20)
        older = "select count(*) from intermediate.int_session_facts where scheduled_on < '2024-03-10' and rating > 0"
        assert connection.execute(older).fetchone() > (30,)  # more than 91 days before all that is asked
        compared, equal = connection.execute(
            """
            select count(*), count(*) filter (where to_jsonb(bounded) = to_jsonb(whole))
            from intermediate.int_tutor_histories as bounded
            inner join intermediate.int_tutor_histories_of_pairs as whole using (tutor_id, known_before)
            """
        ).fetchone() or (0, 0)
    finally:
        built("run", "--select", *histories)
    assert compared == equal > 20
