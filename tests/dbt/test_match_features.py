"""The features of pairs a second time: from the raw rows, pair after pair, with nothing shared with the SQL."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import psycopg
import pytest

from ml.features import COMPATIBILITY_WEIGHTS, compatibility

if TYPE_CHECKING:
    from tests.dbt.conftest import Dbt


def read(connection: psycopg.Connection, query: str) -> pd.DataFrame:
    cursor = connection.execute(query.encode())
    assert cursor.description is not None
    return pd.DataFrame(cursor.fetchall(), columns=[column.name for column in cursor.description])


def first_meetings(sessions: pd.DataFrame) -> pd.DataFrame:
    """One row per pair: its first completed session, and the day of a second one that followed within 30 days."""
    completed = sessions[sessions["status"] == "completed"].sort_values(["scheduled_time", "session_id"])
    pairs = []
    for (tutor, student), meetings in completed.groupby(["tutor_id", "student_id"]):
        days = list(meetings["day"])
        goes_on = len(days) > 1 and days[1] <= days[0] + timedelta(days=30)
        # When it was known how it went on: once the 30 days are over, if it did not.
        known_on = days[1] if goes_on else days[0] + timedelta(days=30)
        pairs.append((tutor, student, meetings.index[0], days[0], goes_on, known_on))
    return pd.DataFrame(pairs, columns=["tutor_id", "student_id", "row", "day", "goes_on", "known_on"])


def recomputed(sessions: pd.DataFrame, pairs: pd.DataFrame, pair: Any) -> dict[str, float]:
    first = sessions.loc[pair.row]
    booked = pair.day if pd.isna(first["booked_at"]) else min(first["booked_at"].date(), pair.day)
    ninety, year = booked - timedelta(days=90), booked - timedelta(days=365)
    over = sessions[(sessions["status"] != "scheduled") & (sessions["day"] < booked)]
    taught = sessions[(sessions["tutor_id"] == pair.tutor_id) & (sessions["status"] != "scheduled")]
    rated = over.loc[over["tutor_id"] == pair.tutor_id, "rating"].dropna().astype(float)
    recent = taught[(taught["day"] >= ninety) & (taught["day"] < booked)]
    moved = taught[taught["is_moved"] & (taught["moved_known_on"] >= ninety) & (taught["moved_known_on"] < booked)]
    missed = recent[(recent["status"] == "no_show") & (recent["initiator"] == "tutor") & ~recent["is_excused"]]
    let_down = taught[taught["is_let_down"] & (taught["off_known_on"] >= ninety) & (taught["off_known_on"] < booked)]
    known = pairs[pairs["known_on"] < booked]
    of_tutor = known[(known["tutor_id"] == pair.tutor_id) & (known["known_on"] >= year)]
    of_student = known[known["student_id"] == pair.student_id]
    met = pairs[(pairs["student_id"] == pair.student_id) & (pairs["day"] < booked)]
    own = over[over["student_id"] == pair.student_id]
    ratings, given = recent["rating"].dropna().astype(float), own["rating"].dropna().astype(float)
    return {
        "student_first_meetings": len(met),
        "student_pending_meetings": (met["known_on"] >= booked).sum(),
        "student_continuation_rate": (of_student["goes_on"].sum() + 7) / (len(of_student) + 10),
        "student_sessions_per_pair": ((own["status"] == "completed").sum() + 4) / (len(met) + 1),
        "student_rating_given": (given.sum() + 40) / (len(given) + 10),
        "tutor_sessions_90d": len(recent),
        "tutor_let_down_rate": (len(let_down) + 1) / (len(recent) + 10),
        "tutor_reschedule_rate": (len(moved) + 1) / (len(recent) + 10),
        "tutor_no_show_rate": (len(missed) + 1) / (len(recent) + 50),
        "tutor_continuation_rate": (of_tutor["goes_on"].sum() + 7) / (len(of_tutor) + 10),
        "tutor_rating": (ratings.sum() + 40) / (len(ratings) + 10),
        "tutor_rating_all_time": (rated.sum() + 40) / (len(rated) + 10),
        "lead_hours": (first["scheduled_time"] - first["booked_at"]).total_seconds() / 3600,
    }


def test_features_of_pairs_agree_with_a_second_computation(built: Dbt, connection: psycopg.Connection) -> None:
    built("run", "--select", "+match_outcomes")
    sessions = read(
        connection,
        """
        select
            sessions.*, reschedules.initiator is not distinct from 'tutor' and excuses.session_id is null as is_moved,
            excuses.session_id is not null as is_excused,
            (sessions.scheduled_time at time zone 'UTC')::date as day,
            greatest(
                (sessions.scheduled_time at time zone 'UTC')::date,
                (reschedules.requested_at at time zone 'UTC')::date
            ) as moved_known_on,
            excuses.session_id is null and (
                reschedules.initiator is not distinct from 'tutor'
                or (sessions.status in ('cancelled', 'no_show') and sessions.initiator is not distinct from 'tutor')
            ) as is_let_down,
            -- By the first of what the tutor did.
            greatest(
                (sessions.scheduled_time at time zone 'UTC')::date,
                least(
                    case when reschedules.initiator = 'tutor' then
                        coalesce(reschedules.requested_at, sessions.scheduled_time) at time zone 'UTC'
                    end,
                    case when sessions.initiator = 'tutor' and sessions.status = 'cancelled' then
                        coalesce(sessions.cancelled_at, sessions.scheduled_time) at time zone 'UTC'
                    end,
                    case when sessions.initiator = 'tutor' and sessions.status = 'no_show' then
                        sessions.scheduled_time at time zone 'UTC'
                    end
                )::date
            ) as off_known_on
        from raw.sessions as sessions
        left join intermediate.int_deciding_moves as reschedules using (session_id)
        left join app.excuses as excuses using (session_id)
        """,
    )
    sessions["booked_at"] = pd.to_datetime(sessions["booked_at"], utc=True)
    outcomes = read(connection, "select * from marts.match_outcomes").set_index(["tutor_id", "student_id"])
    pairs = first_meetings(sessions)
    compared = 0
    for pair in pairs.sample(120, random_state=1).itertuples():
        if (pair.tutor_id, pair.student_id) not in outcomes.index:
            continue
        row = outcomes.loc[(pair.tutor_id, pair.student_id)]
        assert row["first_session_on"] == pair.day
        assert row["churned"] == (not pair.goes_on)
        for name, value in recomputed(sessions, pairs, pair).items():
            assert float(row[name] if row[name] is not None else "nan") == pytest.approx(value, nan_ok=True), name
        compared += 1
    assert compared > 50


# All that there is: each mismatch with each other, up to ages 110 years apart, and unknown.
EVERY_MISMATCH = """
select
    pace_mismatch, style_mismatch::float8, communication_mismatch, age_mismatch,
    {{ compatibility_score({
        'pace': 'pace_mismatch', 'style': 'style_mismatch', 'communication': 'communication_mismatch',
        'age': 'age_mismatch',
    }) }}::real
from unnest(array[0, 1, 2, 3, 4, null]::smallint[]) as pace_mismatch
cross join unnest(array[0, 0.5, 1, null]::real[]) as style_mismatch
cross join unnest(array[0, 1, 2, 3, 4, null]::smallint[]) as communication_mismatch
cross join unnest(array(select generate_series(0, 110)) || array[null]::integer[]) as age_mismatch
"""


def test_compatibility_is_that_of_numpy_to_the_last_digit(built: Dbt, connection: psycopg.Connection) -> None:
    """Pairs that are stored have it from a view, pairs predicted on the spot from NumPy."""
    compiled = built("compile", "--inline", EVERY_MISMATCH).results[0].node.compiled_code
    rows = np.array(connection.execute(compiled.encode()).fetchall(), dtype=np.float64)
    expected = compatibility(dict(zip(COMPATIBILITY_WEIGHTS, rows[:, :4].T, strict=True)))
    assert len(rows) == 6 * 4 * 6 * 112
    assert (rows[:, 4].astype(np.float32) == expected.astype(np.float32)).all()
