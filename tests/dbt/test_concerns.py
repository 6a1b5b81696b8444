"""Concerns as runs make them: as the reference has them, and the same to the last bit in whatever order facts come."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.dbt.conftest import Dbt
from verify.compare import compare_concerns
from verify.frames import load_concerns, load_kept, load_publication, load_raw
from verify.recompute import recompute
from verify.recompute.change_filter import ChangeFilter
from verify.recompute.concerns import (
    CONCERNS,
    NEVER,
    DailyCounts,
    assess,
    is_raised,
    rate_concerns,
    rate_probability,
    rating_probability,
)
from verify.recompute.evidence import BetaMixture, discounted
from verify.recompute.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt
    import psycopg

    from core.database import Database

HISTORY_DAYS = 420
# The models of concerns, and what changes with a session before them.
MODELS = (
    *("int_session_facts", "int_tutor_days", "int_pairs", "int_as_of", "int_platform", "int_filter_checkpoints"),
    *("int_concern_days", "tutor_concerns", "tutor_flags"),
)
STORED = "select to_jsonb(concerns)::text from marts.tutor_concerns as concerns order by concern_key"
FILTER_REFERENCES = "select reference_id, filter_prior, filter_limit, design_effect from app.score_reference order by 1"
CHECKPOINTS = "select to_jsonb(c)::text from intermediate.int_filter_checkpoints as c order by tutor_id"
DAYS = "select to_jsonb(days)::text from intermediate.int_concern_days as days order by tutor_id, concern, concern_day"


FLAGS = "select to_jsonb(flags)::text from marts.tutor_flags as flags order by flag_key"


def build(dbt: Dbt, *options: str, **variables: object) -> None:
    dbt("build", "--exclude-resource-type", "test", "unit_test", *options, "--select", *MODELS, **variables)


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


def change_filter(connection: psycopg.Connection, limit: float = 0.15) -> ChangeFilter:
    """As the stored reference has it."""
    query = "select filter_prior, design_effect from app.score_reference order by reference_id desc limit 1"
    (((narrow_alpha, narrow_beta, broad_alpha, broad_beta), phi),) = rows(connection, query)
    alpha, beta = np.array([narrow_alpha, broad_alpha]), np.array([narrow_beta, broad_beta])
    return ChangeFilter.of_prior(BetaMixture(np.array([0.9, 0.1]), alpha, beta), limit, phi)


@pytest.fixture
def concerns(alone: Database, tmp_path: Path) -> Dbt:
    """Built with priors and stretches of what is known now."""
    return Dbt(alone, tmp_path)


@pytest.fixture
def connection(alone: Database) -> Iterator[psycopg.Connection]:
    with alone.connect(autocommit=True) as connection:
        yield connection


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


# Students who come again, and somebody whom no student meets twice, and who is rated 1.
BETTER_AND_WORSE = """
    insert into raw.students (student_id)
    select md5('disappointed ' || i)::uuid from generate_series(1, 40) as i;
    insert into raw.sessions (session_id, tutor_id, student_id, scheduled_time, status, rating, started_at)
    select
        md5('disappointing ' || i)::uuid, md5('tutor 30')::uuid, md5('disappointed ' || i)::uuid,
        timestamptz '2024-06-29 10:00+00' - i * interval '3 days', 'completed', 1,
        timestamptz '2024-06-29 10:00+00' - i * interval '3 days'
    from generate_series(1, 40) as i;
    insert into raw.students (student_id)
    select md5('loyal ' || i)::uuid from generate_series(1, 300) as i;
    insert into raw.sessions (session_id, tutor_id, student_id, scheduled_time, status)
    select
        md5('loyal ' || i || ' ' || week)::uuid, md5('tutor ' || 1 + i % 29)::uuid, md5('loyal ' || i)::uuid,
        timestamptz '2024-05-20 10:00+00' - i * interval '6 hours' + week * interval '7 days', 'completed'
    from generate_series(1, 300) as i
    cross join generate_series(0, 1) as week;
"""


def test_concerns_are_those_of_the_reference(concerns: Dbt, connection: psycopg.Connection) -> None:
    connection.execute(BETTER_AND_WORSE.encode())
    connection.execute("truncate app.concern_priors, app.concern_stretches")
    build(concerns)
    ((as_of,),) = rows(connection, "select as_of from intermediate.int_scoring_days where is_as_of")
    places, counts = daily_counts(connection, as_of)
    expected = assess(counts, change_filter(connection))
    query = """
        select
            tutor_id, concern, status, superseded, as_of - raised_on, clears_on - as_of, trials, events,
            expected, low, high, threshold, probability
        from marts.tutor_concerns
    """
    found = rows(connection, query)
    assert {name for _, name, status, *_ in found if status == "raised"} == set(CONCERNS)
    for tutor, name, status, superseded, raised_days, clears_in_days, trials, events, *numbers in found:
        concern, place = expected[name], places[tutor]
        assert superseded == concern.superseded[place]
        assert (status, raised_days) == (
            concern.status[place], concern.raised_days[place] if concern.status[place] == "raised" else None,
        )  # fmt: skip
        # Near a level one more day may do, because of the error that a probability may have.
        assert abs((clears_in_days or NEVER) - concern.clears_in_days[place]) <= 1
        assert trials == concern.trials[place]
        assert events == (None if name == "low_ratings" else concern.events[place])
        parts = (
            concern.expected,
            concern.low,
            concern.high,
            np.full(len(places), concern.threshold),
            concern.probability,
        )
        errors = (1e-6,) * 5 if name == "getting_worse" else (1e-4, 5e-3, 5e-3, 1e-9, 1e-3)
        for number, part, error in zip(numbers, parts, errors, strict=True):
            assert abs(number - part[place]) <= error
    assert any(superseded for _, _, _, superseded, *_ in found)
    known = {name: ~np.isnan(expected[name].probability) for name in CONCERNS}
    known["getting_worse"] &= known["unreliable"]  # nothing is said of tutors who have stopped
    assert len(found) == sum(each.sum() for each in known.values())
    probabilities = rows(
        connection, "select tutor_id, concern, concern_day, probability from intermediate.int_concern_days"
    )
    for tutor, name, day, probability in probabilities:
        error = 1e-6 if name == "getting_worse" else 1e-3
        assert abs(probability - expected[name].daily_probability[places[tutor], -1 - (as_of - day).days]) <= error


@pytest.mark.parametrize(
    ("on", "is_before_checkpoints"),
    [pytest.param("2024-06-18", False, marks=pytest.mark.soak), ("2024-04-02", True)],
)
def test_a_late_session_changes_days_as_a_rebuild_does(
    concerns: Dbt, connection: psycopg.Connection, on: str, is_before_checkpoints: bool
) -> None:
    before, checkpoints = rows(connection, DAYS), rows(connection, CHECKPOINTS)
    post(connection, f"late concern {on}", 3, on, "no_show")
    build(concerns)
    made = {query: rows(connection, query) for query in (CHECKPOINTS, DAYS, STORED)}
    for queue in ("touched_concerns", "touched_concern_days", "touched_filter_checkpoints"):
        assert rows(connection, f"select * from intermediate.{queue}") == []
    assert made[DAYS] != before
    assert sum(new != old for new, old in zip(made[CHECKPOINTS], checkpoints, strict=True)) == is_before_checkpoints
    build(concerns, "--full-refresh")
    for query, found in made.items():
        assert rows(connection, query) == found


def test_a_closed_day_keeps_its_priors(concerns: Dbt, connection: psycopg.Connection) -> None:
    query = "select to_jsonb(p)::text from intermediate.int_concern_priors as p where {} order by concern_day, concern"
    before = rows(connection, query.format("is_closed"))
    post(connection, "late prior", 3, "2024-06-10", "no_show")
    open_before = rows(connection, query.format("not is_closed"))
    build(concerns)
    assert rows(connection, query.format("is_closed")) == before
    assert rows(connection, query.format("not is_closed")) != open_before


# Of tutors who all have sessions already, six a day.
MANY_SESSIONS = """
    insert into raw.sessions (session_id, tutor_id, student_id, scheduled_time, status, initiator)
    select
        md5('one of many ' || i)::uuid, md5('tutor ' || 1 + i %% 29)::uuid, md5('student 1')::uuid,
        timestamptz '2024-06-20 10:00+00' - i * interval '4 hours', 'completed', 'student'
    from generate_series(1, %s) as i
"""


@pytest.mark.parametrize(("sessions", "is_made_anew"), [pytest.param(100, False, marks=pytest.mark.soak), (800, True)])
def test_a_closed_day_of_which_a_fifth_changes_gets_new_priors(
    concerns: Dbt, connection: psycopg.Connection, sessions: int, is_made_anew: bool
) -> None:
    """About 2,000 sessions count on each of them."""
    query = "select to_jsonb(p)::text from app.concern_priors as p order by concern_day, concern"
    before = rows(connection, query)
    connection.execute(MANY_SESSIONS.encode(), [sessions])
    build(concerns)
    assert (rows(connection, query) != before) == is_made_anew
    days = rows(connection, DAYS)
    build(concerns, "--full-refresh")
    assert rows(connection, DAYS) == days
    connection.execute("truncate app.concern_priors")
    build(concerns)
    assert (rows(connection, DAYS) == days) == is_made_anew


@pytest.mark.soak
def test_closed_days_survive_a_dropped_schema(concerns: Dbt, connection: psycopg.Connection) -> None:
    post(connection, "before the schema is dropped", 3, "2024-06-12", "no_show")
    build(concerns)
    days, stored = rows(connection, DAYS), rows(connection, STORED)
    connection.execute("set client_min_messages = warning")
    connection.execute("drop schema intermediate cascade")
    connection.execute("create schema intermediate authorization tutorq_transform")
    concerns("build", "--exclude-resource-type", "test", "unit_test")
    assert rows(connection, DAYS) == days
    assert rows(connection, STORED) == stored


def probabilities_and_needs(
    counts: DailyCounts, reference: ChangeFilter
) -> Iterator[tuple[str, npt.NDArray[np.float64], npt.NDArray[np.bool_]]]:
    """Of each concern: its name, and of every tutor and day the probability and whether needs are met."""
    sessions = discounted(counts.sessions, np.ones(90)) >= 5
    yield "getting_worse", reference.run(counts.sessions, counts.let_downs).probability, sessions
    yield "low_ratings", rating_probability(counts)[2], discounted(counts.ratings, np.ones(180)) >= 5
    for name, concern in rate_concerns(0.15).items():
        needs = discounted(getattr(counts, concern.trials), concern.needs_days) >= concern.needs
        yield name, rate_probability(concern, counts)[2], needs


def stretches_of(
    counts: DailyCounts, reference: ChangeFilter, last_day: date, since: date
) -> set[tuple[int, str, date, date | None]]:
    """Tutor, concern, first day and first day after it, of stretches from `since` on; before, nothing is known."""
    found = set()
    known = (last_day - since).days + 1
    for name, probability, needs in probabilities_and_needs(counts, reference):
        raised = is_raised(probability[:, -known:], RULES) & needs[:, -known:]
        edges = np.diff(np.pad(raised.astype(int), ((0, 0), (1, 1))), axis=1)
        for tutor in range(len(raised)):
            for start, end in zip(*(np.flatnonzero(edges[tutor] == step) for step in (1, -1)), strict=True):
                first, after = (since + timedelta(days=int(place)) for place in (start, end))
                found.add((tutor, name, first, after if end < known else None))
    return found


STRETCH_DAYS = [date(2024, 5, 10), date(2024, 6, 8), date(2024, 6, 9), date(2024, 7, 8), date(2024, 8, 6)]


@pytest.mark.parametrize(
    ("days", "cleared"),
    [(STRETCH_DAYS[1:4:2], 1), pytest.param(STRETCH_DAYS, 10, marks=pytest.mark.soak)],
    ids=["two", "five"],
)
def test_stretches_go_on_from_one_as_of_day_to_the_next(
    concerns: Dbt, connection: psycopg.Connection, days: list[date], cleared: int
) -> None:
    connection.execute("truncate app.concern_priors, app.concern_stretches")
    for as_of in days:
        build(concerns, as_of=as_of.isoformat())
    places, counts = daily_counts(connection, days[-1])
    query = "select tutor_id, concern, raised_on, cleared_on from marts.tutor_flags"
    found = {(places[tutor], *stretch) for tutor, *stretch in rows(connection, query)}
    expected = stretches_of(counts, change_filter(connection), days[-1], days[0] - timedelta(days=29))
    assert sum(raised_on < date(2024, 6, 1) and cleared_on is None for *_, raised_on, cleared_on in expected) >= 5
    assert sum(cleared_on is not None for *_, cleared_on in expected) >= cleared
    assert found == expected
    # A rebuild finds them again, also without a schema.
    flags, stored = rows(connection, FLAGS), rows(connection, STORED)
    build(concerns, "--full-refresh", as_of=days[-1].isoformat())
    assert (rows(connection, FLAGS), rows(connection, STORED)) == (flags, stored)


def test_what_comes_late_leaves_stretches_of_before(concerns: Dbt, connection: psycopg.Connection) -> None:
    first, last = date(2024, 5, 20), date(2024, 6, 18)
    query = """
        select tutor_id, concern, raised_on, probability_when_raised, case when cleared_on < {0} then cleared_on end
        from marts.tutor_flags where raised_on < {0} order by 1, 2, 3
    """.format(f"date '{last - timedelta(days=29)}'")
    connection.execute("truncate app.concern_priors, app.concern_stretches")
    build(concerns, as_of=first.isoformat())
    build(concerns, as_of=last.isoformat())
    before, flags = rows(connection, query), rows(connection, FLAGS)
    for number in range(60):
        post(connection, f"late {number}", 1 + number % 6, f"2024-05-{1 + number // 2:02}", "completed")
    build(concerns, as_of=last.isoformat())
    assert len(before) >= 5
    assert rows(connection, query) == before
    assert rows(connection, FLAGS) != flags


def test_verify_agrees(concerns: Dbt, alone: Database, connection: psycopg.Connection) -> None:
    """With what closed days have kept: later facts say something else."""
    post(connection, "verified", 4, "2024-06-14", "no_show")
    build(concerns)
    with alone.connect() as reader:
        basis, frames, kept = load_publication(reader), load_raw(reader), load_kept(reader)
        published = load_concerns(reader)
    report = compare_concerns(recompute(frames, basis, kept).concerns, published, basis)
    assert report.errors() == []
    assert report.ok
    assert report.tutors > 100
    # Days on which nobody could be raised make everything raised today.
    harmless = kept.priors.assign(prior_alpha=1, prior_beta=1000)
    distorted = replace(kept, priors=harmless, stretches=kept.stretches.iloc[:0])
    assert not compare_concerns(recompute(frames, basis, distorted).concerns, published, basis).ok


@pytest.mark.soak  # the gate has it in verify/test_other_settings.py
def test_other_limits_hold_for_all_days(concerns: Dbt, connection: psycopg.Connection) -> None:
    everything = ("build", "--exclude-resource-type", "test", "unit_test")
    before, references = rows(connection, DAYS), rows(connection, FILTER_REFERENCES)
    concerns(*everything, risk_threshold=0.25)
    assert rows(connection, FILTER_REFERENCES) == references
    days, stored = rows(connection, DAYS), rows(connection, STORED)
    assert days != before
    ((as_of,),) = rows(connection, "select as_of from intermediate.int_scoring_days where is_as_of")
    places, counts = daily_counts(connection, as_of)
    expected = assess(counts, change_filter(connection, 0.25), risk_threshold=0.25)["getting_worse"]
    states = rows(
        connection,
        "select tutor_id, status, superseded, probability from marts.tutor_concerns where concern = 'getting_worse'",
    )
    assert len({status for _, status, *_ in states}) > 1
    for tutor, status, superseded, probability in states:
        assert (status, superseded) == (expected.status[places[tutor]], expected.superseded[places[tutor]])
        assert abs(probability - expected.probability[places[tutor]]) <= 1e-6
    connection.execute("truncate app.concern_priors")
    build(concerns, "--full-refresh")
    assert rows(connection, DAYS) == days
    assert rows(connection, STORED) == stored
    concerns(*everything)
    assert rows(connection, DAYS) == before


@pytest.mark.soak
def test_another_day_has_the_days_of_a_rebuild(concerns: Dbt, connection: psycopg.Connection) -> None:
    for as_of in ("2024-07-03", "2024-06-25", "2024-06-30"):
        concerns("build", "--exclude-resource-type", "test", "unit_test", "--select", *MODELS, "int_as_of", as_of=as_of)
        days, checkpoints = rows(connection, DAYS), rows(connection, CHECKPOINTS)
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
            "int_filter_checkpoints",
            "int_concern_days",
            as_of=as_of,
        )
        assert rows(connection, DAYS) == days
        assert rows(connection, CHECKPOINTS) == checkpoints
