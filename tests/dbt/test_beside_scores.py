"""Notice, retention, weeks of attention and sessions of the day, against a recomputation from raw rows in Python."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import Counter
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pandas as pd
import psycopg
import pytest

from tests.marts import AS_OF
from verify.frames import load_publication, load_raw
from verify.recompute.counts import session_facts

if TYPE_CHECKING:
    from tests.dbt.conftest import Dbt
    from verify.inputs import RawFrames

TODAY = date.fromisoformat(AS_OF)
EDGES = [0, 3, 6, 12, 24, 48, 72, 168]
FOLLOWED, NUMBERS = 90, range(1, 9)
WEEK = timedelta(days=7)


@pytest.fixture
def frames(built: Dbt, connection: psycopg.Connection) -> RawFrames:
    return load_raw(connection)


@pytest.fixture
def facts(frames: RawFrames, connection: psycopg.Connection) -> pd.DataFrame:
    return session_facts(frames, load_publication(connection))


def rows_of(frame: pd.DataFrame) -> list[Any]:
    """Rows with their columns as attributes; pandas cannot say of which types."""
    return list(frame.itertuples())


def notice_of(frames: RawFrames) -> dict[str, float]:
    """Hours of notice by session: the shortest of the tutor's moves and cancellation, as far as they are known."""
    times = frames.sessions.set_index("session_id")["scheduled_time"]
    found: dict[str, float] = {}

    def note(session_id: str, hours: float) -> None:
        if not pd.isna(hours):
            found[session_id] = min(hours, found.get(session_id, float("inf")))

    for move in rows_of(frames.reschedules):
        if move.reschedule_initiator == "tutor" and move.session_id in times.index:
            given_up = times[move.session_id] if pd.isna(move.original_time) else move.original_time
            note(move.session_id, (given_up - move.requested_at) / pd.Timedelta(hours=1))
    for session in rows_of(frames.sessions):
        if session.status == "cancelled" and session.initiator == "tutor":
            note(session.session_id, (session.scheduled_time - session.cancelled_at) / pd.Timedelta(hours=1))
    return found


def test_notice_is_that_of_raw_rows(frames: RawFrames, facts: pd.DataFrame, connection: psycopg.Connection) -> None:
    notice = notice_of(frames)
    first = pd.Timestamp(TODAY - timedelta(days=90))
    called_off = facts[
        (facts["tutor_reschedules"] | facts["tutor_cancellations"])
        & facts["is_final"]
        & (facts["counted_on"] > first)
        & (facts["counted_on"] <= pd.Timestamp(TODAY))
    ]
    bands: Counter[tuple[str, int]] = Counter()
    for each in rows_of(called_off):
        hours = notice.get(each.session_id)
        bands[str(each.tutor_id), 0 if hours is None else bisect_right(EDGES, hours) + 1] += 1
    rows = connection.execute(
        "select tutor_id::text, notice_band, called_off, moved + cancelled from marts.tutor_notice"
    )
    stored = {(str(tutor), band): (called, both) for tutor, band, called, both in rows.fetchall()}
    assert stored == {key: (count, count) for key, count in bands.items()}
    # Nearly every band is there, among them sessions called off too late and those of unknown notice.
    assert len({band for _, band in bands}) >= 8
    assert {0, 1} <= {band for _, band in bands}

    moved = Counter(bool(each.tutor_reschedules) for each in rows_of(called_off))
    by_band = Counter[int]()
    for (_, band), count in bands.items():
        by_band[band] += count
    platform = connection.execute(
        "select notice_band, from_hours, to_hours, called_off, moved from marts.platform_notice order by 1"
    ).fetchall()
    assert [row[:4] for row in platform] == [
        (band, None if band < 2 else EDGES[band - 2], None if band in (0, 9) else EDGES[band - 1], by_band[band])
        for band in range(10)
    ]
    assert sum(row[4] for row in platform) == moved[True]
    # What the scores call short notice is what lies below the limit.
    (short,) = connection.execute("select sum(short_notice_90d) from marts.tutor_scores").fetchone() or (None,)
    assert short == sum(count for band, count in by_band.items() if 0 < band <= EDGES.index(24) + 1) > 0


def test_retention_is_that_of_raw_rows(facts: pd.DataFrame, connection: psycopg.Connection) -> None:
    completed = facts[facts["status"] == "completed"].sort_values("scheduled_time")
    expected: Counter[tuple[str, int]] = Counter()
    students: Counter[str] = Counter()
    for (tutor, _), met in completed.groupby(["tutor_id", "student_id"], observed=True):
        days = [day.date() for day in met["scheduled_on"]]
        if not TODAY - timedelta(days=365) < days[0] <= TODAY - timedelta(days=FOLLOWED):
            continue
        students[str(tutor)] += 1
        sessions = sum((day - days[0]).days <= FOLLOWED for day in days)
        for number in NUMBERS:
            expected[str(tutor), number] += sessions >= number
    rows = connection.execute("select tutor_id::text, session_number, students, came from marts.tutor_retention")
    stored = {(str(tutor), number): (known, came) for tutor, number, known, came in rows.fetchall()}
    assert stored == {(tutor, number): (students[tutor], came) for (tutor, number), came in expected.items()}
    assert 0 < sum(expected[tutor, 2] for tutor in students) < sum(students.values())
    platform = connection.execute(
        "select session_number, students, came, tutors from marts.platform_retention order by 1"
    ).fetchall()
    assert platform == [
        (number, sum(students.values()), sum(expected[tutor, number] for tutor in students), len(students))
        for number in NUMBERS
    ]


def attention_of(flags: list[tuple[UUID, date, date | None]], first: date) -> dict[date, tuple[bool, int, int, int]]:
    """Day by day from the first one on: who has any raised concern, who came, who left."""
    days = [first + timedelta(days=number) for number in range((TODAY - first).days + 1)]
    raised = [
        {tutor for tutor, since, until in flags if since <= day and (until is None or day < until)} for day in days
    ]
    weeks: dict[date, tuple[bool, int, int, int]] = {}
    for place in range(1, len(days)):
        monday = days[place] - timedelta(days=days[place].weekday())
        if monday <= first:
            continue
        _, came, left, _ = weeks.get(monday, (False, 0, 0, 0))
        came += len(raised[place] - raised[place - 1])
        left += len(raised[place - 1] - raised[place])
        weeks[monday] = (monday + WEEK <= TODAY, came, left, len(raised[place]))
    return weeks


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_weeks_of_attention_are_those_of_a_walk_through_the_days(
    seed: int, built: Dbt, connection: psycopg.Connection
) -> None:
    draw = random.Random(seed)
    with connection.transaction(force_rollback=True):
        connection.execute("delete from app.concern_stretches")
        # Looked at for 200 days longer; some weeks have nobody.
        connection.execute(
            "update app.concern_priors set concern_day = concern_day - 200 "
            "where concern_day = (select min(concern_day) from app.concern_priors)"
        )
        ((first,),) = connection.execute("select min(concern_day) from app.concern_priors").fetchall()
        for number in range(40):
            tutor = UUID(int=number)
            for concern in ("unreliable", "no_shows", "low_ratings"):
                # Short breaks, so that concerns often meet on a day, or overlap.
                day = TODAY - timedelta(days=draw.randrange(20, 160))
                while draw.random() < 0.85 and day < TODAY:
                    until = day + timedelta(days=draw.randrange(1, 21))
                    connection.execute(
                        """
                        insert into app.concern_stretches
                            (tutor_id, concern, raised_on, cleared_on, probability_when_raised, high_days)
                        values (%s, %s, %s, %s, 0.9, '{}')
                        """,
                        [tutor, concern, day, until if until < TODAY else None],
                    )
                    day = until + timedelta(days=draw.randrange(1, 15))
        flags = connection.execute("select tutor_id, raised_on, cleared_on from marts.tutor_flags").fetchall()
        rows = connection.execute(
            "select week_start, is_complete, began, ended, tutors from marts.attention_weekly order by 1"
        ).fetchall()
    expected = attention_of([(tutor, since, until) for tutor, since, until in flags], first)
    assert {row[0]: tuple(row[1:]) for row in rows} == expected
    assert len(expected) > 15
    assert min(sum(week[1] for week in expected.values()), sum(week[2] for week in expected.values())) > 30
    # What comes and goes explains how many there are.
    standing = [row[4] for row in rows]
    assert [after - before for before, after in pairwise(standing)] == [row[2] - row[3] for row in rows[1:]]


def test_sessions_of_the_day_are_those_of_raw_rows(
    frames: RawFrames, facts: pd.DataFrame, connection: psycopg.Connection
) -> None:
    outcomes = {
        "scheduled": "planned", "completed": "held", "rescheduled": "moved", "cancelled": "cancelled",
        "no_show": "missed",
    }  # fmt: skip
    today = facts[facts["scheduled_on"] == pd.Timestamp(TODAY)]
    expected = {
        (
            each.session_id,
            each.scheduled_time.hour,
            outcomes[each.status],
            each.status != "scheduled" and each.is_let_down,
        )
        for each in rows_of(today)
    }
    rows = connection.execute(
        "select session_id::text, hour, outcome, is_let_down from marts.todays_sessions"
    ).fetchall()
    assert set(rows) == expected
    assert len(expected) > 5
    levels = connection.execute(
        """
        select count(*) from marts.todays_sessions as today
        full join (select * from marts.upcoming_sessions where scheduled_on = %s) as planned using (session_id)
        where today.risk_level is distinct from planned.risk_level
        """,
        [TODAY],
    ).fetchone()
    assert levels == (0,)
