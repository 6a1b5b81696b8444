"""Who lets students down is found, whichever way it is done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from tests.dbt.conftest import Dbt

# 60 sessions of tutor 30 in the last two months, the first 34 of them cancelled.
CANCELLER = """
insert into raw.sessions (session_id, tutor_id, student_id, scheduled_time, status, initiator)
select
    md5('of tutor 30, ' || i)::uuid, md5('tutor 30')::uuid, md5('student ' || i)::uuid,
    timestamptz '2024-06-29 12:00+00' - i * interval '1 day',
    case when i <= 34 then 'cancelled' else 'completed' end, case when i <= 34 then 'tutor' end
from generate_series(1, 60) as i
"""
SCORE = """
select risk_status, risk_probability, quality_score from marts.tutor_scores where tutor_id = md5('tutor 30')::uuid
"""


@pytest.fixture
def canceller(built: Dbt, connection: psycopg.Connection) -> Iterator[psycopg.Connection]:
    gone = "delete from raw.sessions where tutor_id = md5('tutor 30')::uuid"
    connection.execute(gone)
    connection.execute(CANCELLER)
    built("run")
    yield connection
    connection.execute(gone)


def score(connection: psycopg.Connection) -> tuple[str, float, float]:
    row = connection.execute(SCORE).fetchone()
    assert row is not None
    return row


def test_a_tutor_who_cancels_34_of_60_is_at_high_risk(canceller: psycopg.Connection) -> None:
    status, probability, _ = score(canceller)
    assert status == "high_risk"
    assert probability > 0.99
    row = canceller.execute(
        "select let_downs_90d, tutor_cancellations_90d, moved_sessions_90d, let_down_rate_90d, episodes_90d"
        " from marts.tutor_scores where tutor_id = md5('tutor 30')::uuid"
    ).fetchone()
    assert row == (34, 34, 0, 34 / 60, 34)


def test_with_moves_alone_the_same_tutor_is_fine(built: Dbt, canceller: psycopg.Connection) -> None:
    try:
        built("run", reliability_counts=["reschedules"])
        status, probability, _ = score(canceller)
    finally:
        built("run")
    assert status == "ok"
    assert probability < 0.5
    assert score(canceller)[0] == "high_risk"


@pytest.mark.parametrize(
    "missed",
    [
        "update raw.sessions set status = 'no_show', initiator = 'tutor'"
        " where session_id = md5('of tutor 30, 40')::uuid",
        "insert into raw.sessions (session_id, tutor_id, student_id, scheduled_time, status, initiator) values"
        " (md5('missed')::uuid, md5('tutor 30')::uuid, md5('student 1')::uuid, '2024-06-29', 'no_show', 'tutor')",
    ],
    ids=["instead of a held one", "as one more"],
)
def test_a_no_show_never_lowers_the_probability(built: Dbt, canceller: psycopg.Connection, missed: str) -> None:
    # Without let-downs, for the probability to have room above it.
    canceller.execute(
        "update raw.sessions set status = 'completed', initiator = null where tutor_id = md5('tutor 30')::uuid"
    )
    built("run")
    _, probability, quality = score(canceller)
    canceller.execute(missed.encode())
    built("run")
    _, after, lower = score(canceller)
    assert after > probability
    assert lower < quality
