"""The stored reference: set once, the same whatever comes, and another one on request; and what follows from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests import worlds
from tests.dbt.conftest import Dbt
from tests.dbt.test_concerns import MODELS, build, daily_counts, post
from verify.recompute.change_filter import design_effect
from verify.recompute.quality import components

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import psycopg

    from core.database import Database
    from tests.conftest import Postgres

REFERENCES = """
select reference_id, as_of, tutors, filter_prior, filter_limit, design_effect, quality_tutors, means, covariance
from app.score_reference order by reference_id
"""
IN_FORCE = "select reference_id, filter_prior, design_effect, means, covariance from intermediate.int_score_reference"
# Of the made-up first meetings hardly any is continued, and where the platform loses 95% nothing is said of tutors.
CONTINUED = """
insert into raw.sessions (session_id, tutor_id, student_id, scheduled_time, status, updated_at)
select md5('again ' || session_id)::uuid, tutor_id, student_id, scheduled_time + interval '5 days', status, updated_at
from raw.sessions
where status = 'completed' and scheduled_time < '2024-05-10' and session_id::text < '6'
"""
ENOUGH = 5
SHIPPED_PRIOR = [1, 9, 1, 17 / 3]


def references(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    return connection.execute(REFERENCES.encode()).fetchall()


def score(dbt: Dbt, enough: int = ENOUGH, **variables: object) -> None:
    """What sets a reference of `enough` tutors, and what follows from it: quality's part comes with tutor_scores."""
    names = (*MODELS, "int_score_reference", "set_score_reference", "set_quality_reference", "tutor_scores")
    options = ("--exclude-resource-type", "test", "unit_test", "--select", *names)
    dbt("build", *options, tutors_of_a_reference=enough, **variables)


@pytest.fixture(scope="module")
def template(postgres: Postgres, template: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same, with a reference of what is known."""

    def continued() -> Database:
        database = postgres.new_database(tmp_path_factory.mktemp("continued"), template)
        with database.connect() as connection:
            connection.execute(CONTINUED.encode())
            # Made-up let-downs come one by one; those of people also come in spells.
            for tutor in range(1, 9):
                for number in range(4):
                    post(connection, f"spell {tutor} {number}", tutor, f"2024-05-{20 + tutor % 5:02}", "no_show")
            connection.execute("truncate app.score_reference")
            connection.execute("truncate app.concern_priors, app.concern_stretches")
        score(Dbt(database, tmp_path_factory.mktemp("target")))
        return database

    postgres.make_template("with_reference", continued)
    return "with_reference"


@pytest.fixture
def scored(alone: Database, tmp_path: Path) -> Dbt:
    return Dbt(alone, tmp_path)


@pytest.fixture
def connection(alone: Database) -> Iterator[psycopg.Connection]:
    with alone.connect(autocommit=True) as connection:
        yield connection


def test_a_reference_is_measured_on_today(scored: Dbt, connection: psycopg.Connection) -> None:
    ((_, as_of, tutors, prior, limit, phi, quality_tutors, means, covariance),) = references(connection)
    places, counts = daily_counts(connection, as_of)
    enough = counts.sessions[:, -90:].sum(axis=1) >= 5
    assert (tutors, limit) == (enough.sum(), 0.15)
    stored = connection.execute(
        "select prior_alpha, prior_beta, broad_alpha, broad_beta from intermediate.concern_priors "
        "where concern = 'unreliable' and concern_day = %s",
        [as_of],
    ).fetchall()
    assert [tuple(prior)] == stored
    assert phi == pytest.approx(design_effect(counts.sessions[:, -364:], counts.let_downs[:, -364:]), abs=1e-9)
    assert 1 < phi < 2

    expected = np.full((len(places), 4), np.nan)
    names = ["unreliable", "no_shows", "loses_new_students", "low_ratings"]
    rows = connection.execute(
        "select tutor_id, concern, expected from marts.tutor_concerns where concern = any(%s)", [names]
    )
    for tutor, name, value in rows:
        expected[places[tutor], names.index(name)] = value
    measured = components(*expected.T)[enough & ~np.isnan(expected).any(axis=1)]
    assert quality_tutors == len(measured) >= ENOUGH
    assert means == pytest.approx(measured.mean(axis=0), abs=1e-9)
    assert covariance == pytest.approx(np.cov(measured, rowvar=False).ravel(), abs=1e-9)


def test_a_reference_stays_until_another_one_is_asked_for(scored: Dbt, connection: psycopg.Connection) -> None:
    before = references(connection)
    for day in range(1, 21):
        post(connection, f"reference {day}", 1 + day % 29, f"2024-06-{day:02}", "no_show")
    build(scored, "--full-refresh")
    assert references(connection) == before
    score(scored, new_reference=True)
    ((first, *_), (second, *_)) = after = references(connection)
    assert after[0] == before[0]
    assert (second > first, after[1][3] != before[0][3], after[1][7] != before[0][7]) == (True, True, True)
    assert connection.execute(IN_FORCE.encode()).fetchall() == [(second, after[1][3], after[1][5], *after[1][7:])]
    score(scored)
    assert references(connection) == after


def test_too_few_tutors_make_no_reference(scored: Dbt, connection: psycopg.Connection) -> None:
    before = references(connection)
    score(scored, enough=100, new_reference=True)
    assert references(connection) == before
    connection.execute("truncate app.score_reference")
    score(scored, enough=100)
    assert references(connection) == []
    ((reference, prior, phi, means, covariance),) = connection.execute(IN_FORCE.encode()).fetchall()
    assert (reference, prior, phi, len(means)) == (None, pytest.approx(SHIPPED_PRIOR), 1, 4)
    assert np.linalg.eigvalsh(np.reshape(covariance, (4, 4))).min() > 0


@pytest.mark.parametrize(
    "change",
    [
        "design_effect = case when design_effect < 1.5 then 2 else 1 end",
        pytest.param("filter_prior = '{60, 40, 2, 2}'", marks=pytest.mark.soak),
    ],
)
def test_a_reference_far_from_today_is_told(scored: Dbt, connection: psycopg.Connection, change: str) -> None:
    def status() -> str:
        *_, result = scored("test", "--select", "reference_is_not_far_from_today")
        return str(result.status)

    assert status() == "pass"
    connection.execute(f"update app.score_reference set {change}".encode())
    build(scored)
    assert status() == "warn"


def test_a_jump_is_noticed_within_a_fortnight(connection: psycopg.Connection) -> None:
    """Tutors who go from 8% to 30%, at 3 sessions a day: half of them are raised by the 13th day, φ = 1."""
    on = 150
    world = worlds.jump(200, on + 60, on=on, until=on + 60, sessions_per_day=3, seed=7)
    waits = []
    for sessions, let_downs in zip(world.sessions, world.let_downs, strict=True):
        days = np.flatnonzero(sessions)
        rows = connection.execute(
            """
            select step.day - '2024-01-01'
            from intermediate.filter_parameters(8, 92, 1, 17 / 3.0, 0.15)
            cross join lateral intermediate.filter_days(
                start, null, array(select '2024-01-01'::date + day from unnest(%s::integer[]) as day),
                %s::float8[], %s::float8[], after_a_jump, log_rates, log_complements, 1
            ) as step
            where step.probability >= 0.8 and step.day >= '2024-01-01'::date + %s
            order by step.day
            limit 1
            """,
            [days.tolist(), sessions[days].tolist(), let_downs[days].tolist(), on],
        ).fetchall()
        waits.append(rows[0][0] - on + 1 if rows else 60)
    assert np.median(waits) <= 13
