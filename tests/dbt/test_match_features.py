"""The features of pairs a second time: from the raw rows, pair after pair, with nothing shared with the SQL."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import psycopg
import pytest

if TYPE_CHECKING:
    from tests.dbt.conftest import Dbt


def read(connection: psycopg.Connection, query: str) -> pd.DataFrame:
    cursor = connection.execute(query.encode())
    assert cursor.description is not None
    return pd.DataFrame(cursor.fetchall(), columns=[column.name for column in cursor.description])


def first_meetings(sessions: pd.DataFrame) -> pd.DataFrame:
    """One row per pair: its first completed session, and whether a second one followed within 30 days."""
    completed = sessions[sessions["status"] == "completed"].sort_values(["scheduled_time", "session_id"])
    pairs = []
    for (tutor, student), meetings in completed.groupby(["tutor_id", "student_id"]):
        days = list(meetings["day"])
        goes_on = len(days) > 1 and days[1] <= days[0] + timedelta(days=30)
        pairs.append((tutor, student, meetings.index[0], days[0], goes_on))
    return pd.DataFrame(pairs, columns=["tutor_id", "student_id", "row", "day", "goes_on"])


def recomputed(sessions: pd.DataFrame, pairs: pd.DataFrame, pair: Any) -> dict[str, float]:
    ninety = pair.day - timedelta(days=90)
    taught = sessions[(sessions["tutor_id"] == pair.tutor_id) & (sessions["status"] != "scheduled")]
    recent = taught[(taught["day"] >= ninety) & (taught["day"] < pair.day)]
    moved = taught[taught["is_moved"] & (taught["moved_known_on"] >= ninety) & (taught["moved_known_on"] < pair.day)]
    missed = recent[(recent["status"] == "no_show") & (recent["initiator"] == "tutor") & ~recent["is_excused"]]
    settled = pairs[pairs["day"] + timedelta(days=30) < pair.day]
    of_tutor = settled[(settled["tutor_id"] == pair.tutor_id) & (settled["day"] >= pair.day - timedelta(days=365))]
    of_student = settled[settled["student_id"] == pair.student_id]
    met = pairs[(pairs["student_id"] == pair.student_id) & (pairs["day"] < pair.day)]
    ratings = recent["rating"].dropna().astype(float)
    first = sessions.loc[pair.row]
    return {
        "student_first_meetings": len(met),
        "student_continuation_rate": (of_student["goes_on"].sum() + 7) / (len(of_student) + 10),
        "tutor_sessions_90d": len(recent),
        "tutor_reschedule_rate": (len(moved) + 1) / (len(recent) + 10),
        "tutor_no_show_rate": (len(missed) + 1) / (len(recent) + 50),
        "tutor_continuation_rate": (of_tutor["goes_on"].sum() + 7) / (len(of_tutor) + 10),
        "tutor_rating": (ratings.sum() + 40) / (len(ratings) + 10),
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
            ) as moved_known_on
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
