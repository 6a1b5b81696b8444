"""Concerns as runs make them: as the reference has them, and the same to the last bit in whatever order facts come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from verify.recompute.change_filter import ChangeFilter
from verify.recompute.concerns import DailyCounts, assess
from verify.recompute.evidence import BetaMixture

if TYPE_CHECKING:
    from datetime import date

    import psycopg

    from tests.dbt.conftest import Dbt

HISTORY_DAYS = 420
NAMES = ("unreliable", "no_shows", "late_starts", "loses_new_students", "low_ratings")
# The models of concerns, and what changes with a session before them.
MODELS = ("int_session_facts", "int_tutor_days", "int_pairs", "int_platform", "int_concern_days", "tutor_concerns")
STORED = "select to_jsonb(concerns)::text from marts.tutor_concerns as concerns order by concern_key"
DAYS = "select to_jsonb(days)::text from intermediate.int_concern_days as days order by tutor_id, concern, concern_day"


def build(dbt: Dbt, *options: str) -> None:
    dbt("build", "--exclude-resource-type", "test", "unit_test", *options, "--select", *MODELS)


def rows(connection: psycopg.Connection, query: str) -> list[Any]:
    return connection.execute(query.encode()).fetchall()


def post(connection: psycopg.Connection, name: str, tutor: int, on: str, status: str) -> None:
    """A session as a live writer writes it."""
    with connection.transaction():
        connection.execute(
            """
            insert into raw.sessions
                (session_id, tutor_id, student_id, scheduled_time, status, rating, initiator, updated_at)
            values (
                md5(%(name)s)::uuid, md5('tutor ' || %(tutor)s)::uuid, md5('student 1')::uuid,
                %(on)s::timestamptz + interval '10 hours', %(status)s,
                case when %(status)s = 'completed' then 2 end, 'tutor', '2024-06-30 00:00+00'
            )
            """,
            {"name": name, "tutor": str(tutor), "on": on, "status": status},
        )
        connection.execute("select marts.refresh_sessions(array[md5(%s)::uuid])", [name])


@pytest.fixture
def concerns(built: Dbt, connection: psycopg.Connection) -> Dbt:
    """Built with priors of what is known now, whatever other tests have done."""
    connection.execute("delete from intermediate.concern_priors")
    build(built, "--full-refresh")
    return built


def daily_counts(connection: psycopg.Connection, as_of: date) -> tuple[dict[Any, int], DailyCounts]:
    """The place of each tutor, and counts of the days up to as_of."""
    places = {tutor: place for place, (tutor,) in enumerate(rows(connection, "select tutor_id from marts.dim_tutors"))}
    counts = np.zeros((10, len(places), HISTORY_DAYS))
    days = """
        select tutor_id, counted_on, sessions, let_downs, tutor_no_shows, started, late_starts, 0, 0,
            ratings, rating_sum, rating_sum_of_squares
        from intermediate.int_tutor_days
        union all
        select tutor_id, first_session_on, 0, 0, 0, 0, 0, 1, (not is_continued)::integer, 0, 0, 0
        from intermediate.int_pairs
    """
    for tutor, day, *values in rows(connection, days):
        age = (as_of - day).days
        if 0 <= age < HISTORY_DAYS:
            counts[:, places[tutor], HISTORY_DAYS - 1 - age] += [float(value) for value in values]
    return places, DailyCounts(*counts)


def test_concerns_are_those_of_the_reference(concerns: Dbt, connection: psycopg.Connection) -> None:
    ((as_of,),) = rows(connection, "select as_of from intermediate.int_scoring_days where is_as_of")
    places, counts = daily_counts(connection, as_of)
    prior = BetaMixture(np.array([0.9, 0.1]), np.array([8.0, 1.0]), np.array([92.0, 3.0]))
    expected = assess(counts, ChangeFilter.of_prior(prior, 0.15))
    query = """
        select tutor_id, concern, status, as_of - raised_on, trials, events, expected, low, high, threshold, probability
        from marts.tutor_concerns
    """
    found = rows(connection, query)
    assert {name for _, name, *_ in found} >= {"unreliable", "no_shows", "late_starts", "low_ratings"}
    for tutor, name, status, raised_days, trials, events, *numbers in found:
        concern, place = expected[name], places[tutor]
        assert (status, raised_days) == (
            concern.status[place], concern.raised_days[place] if concern.status[place] == "raised" else None,
        )  # fmt: skip
        assert trials == concern.trials[place]
        assert events == (None if name == "low_ratings" else concern.events[place])
        parts = (
            concern.expected,
            concern.low,
            concern.high,
            np.full(len(places), concern.threshold),
            concern.probability,
        )
        for number, part, error in zip(numbers, parts, (1e-4, 5e-3, 5e-3, 1e-9, 1e-3), strict=True):
            assert abs(number - part[place]) <= error
    known = sum((~np.isnan(expected[name].probability)).sum() for name in NAMES)
    assert len(found) == known
    probabilities = rows(
        connection, "select tutor_id, concern, concern_day, probability from intermediate.int_concern_days"
    )
    for tutor, name, day, probability in probabilities:
        assert abs(probability - expected[name].daily_probability[places[tutor], -1 - (as_of - day).days]) <= 1e-3


def test_a_late_session_changes_days_as_a_rebuild_does(concerns: Dbt, connection: psycopg.Connection) -> None:
    before = rows(connection, DAYS)
    post(connection, "late concern", 3, "2024-06-18", "no_show")
    build(concerns)
    days, stored = rows(connection, DAYS), rows(connection, STORED)
    changed = rows(
        connection,
        "select count(*) from intermediate.touched_concern_days union all "
        "select count(*) from intermediate.touched_concerns",
    )
    assert changed == [(0,), (0,)]
    assert days != before
    build(concerns, "--full-refresh")
    assert rows(connection, DAYS) == days
    assert rows(connection, STORED) == stored


def test_a_closed_day_keeps_its_priors(concerns: Dbt, connection: psycopg.Connection) -> None:
    query = "select to_jsonb(p)::text from intermediate.int_concern_priors as p where {} order by concern_day, concern"
    before = rows(connection, query.format("is_closed"))
    post(connection, "late prior", 3, "2024-06-10", "no_show")
    open_before = rows(connection, query.format("not is_closed"))
    build(concerns)
    assert rows(connection, query.format("is_closed")) == before
    assert rows(connection, query.format("not is_closed")) != open_before


def test_other_limits_hold_for_all_days(concerns: Dbt, connection: psycopg.Connection) -> None:
    everything = ("build", "--exclude-resource-type", "test", "unit_test")
    before = rows(connection, DAYS)
    try:
        concerns(*everything, risk_threshold=0.4)
        days, stored = rows(connection, DAYS), rows(connection, STORED)
        assert days != before
        connection.execute("delete from intermediate.concern_priors")
        build(concerns, "--full-refresh")
        assert rows(connection, DAYS) == days
        assert rows(connection, STORED) == stored
    finally:
        concerns(*everything)
    assert rows(connection, DAYS) == before


def test_another_day_has_the_days_of_a_rebuild(concerns: Dbt, connection: psycopg.Connection) -> None:
    for as_of in ("2024-07-03", "2024-06-25", "2024-06-30"):
        concerns("build", "--exclude-resource-type", "test", "unit_test", "--select", *MODELS, "int_as_of", as_of=as_of)
        days = rows(connection, DAYS)
        last = rows(
            connection,
            "select max(concern_day) + 1, max(concern_day) - min(concern_day) from intermediate.int_concern_days",
        )
        assert [(str(day), length) for day, length in last] == [(as_of, 28)]
        concerns(
            "build",
            "--full-refresh",
            "--exclude-resource-type",
            "test",
            "unit_test",
            "--select",
            "int_concern_days",
            as_of=as_of,
        )
        assert rows(connection, DAYS) == days
