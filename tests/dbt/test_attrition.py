"""Features and label of tutors who may stop a second time: row by row, with nothing shared with the SQL."""

from __future__ import annotations

from datetime import date, timedelta
from math import log
from typing import TYPE_CHECKING, Any

import pandas as pd
import psycopg
import pytest

from ml.features import ATTRITION
from tests.dbt.test_match_features import read
from tests.marts import AS_OF

if TYPE_CHECKING:
    from tests.dbt.conftest import Dbt

STEP = 7  # more days than are learnt from, for the sake of the test
COLUMNS = (
    "tutor_id, student_id, status, initiator, rating::float8, scheduled_on, requested_on, cancelled_on, is_let_down, "
    "is_tutor_reschedule, is_tutor_cancellation, is_tutor_no_show"
)
# In the generated data everybody stays. Who leaves gives up the places, of which there is no history: nothing that is
# recomputed here reads them.
LEAVERS = """
delete from raw.reschedules where session_id in (
    select session_id from raw.sessions
    where scheduled_time > '2024-04-12' and tutor_id in (md5('tutor 5')::uuid, md5('tutor 6')::uuid)
);
delete from raw.sessions
where scheduled_time > '2024-04-12' and tutor_id in (md5('tutor 5')::uuid, md5('tutor 6')::uuid);
update raw.tutors
set capacity = case when tutor_id in (md5('tutor 5')::uuid, md5('tutor 6')::uuid) then 0 else 9 end;
"""
# In these weeks nobody teaches, but for one tutor.
HOLIDAYS = """
delete from raw.reschedules where session_id in (
    select session_id from raw.sessions where scheduled_time between '2024-04-18' and '2024-05-09'
);
delete from raw.sessions
where scheduled_time between '2024-04-18' and '2024-05-09' and tutor_id <> md5('tutor 3')::uuid;
"""


class OpenDays:
    """The number of each day, which stands still while the platform pauses."""

    def __init__(self, held: pd.DataFrame, until: date) -> None:
        first = held["scheduled_on"].min()
        days = [first + timedelta(days=i) for i in range((until - first).days + 1)]
        counts = held["scheduled_on"].value_counts()
        sessions = [int(counts.get(day, 0)) for day in days]
        self.number, self.is_open, number = {}, {}, 0
        for i, day in enumerate(days):
            before = sessions[max(0, i - 90) : max(0, i - 6)]
            usual = 7 * sum(before) / len(before) if before else 0
            self.is_open[day] = sum(sessions[max(0, i - 6) : i + 1]) >= 0.33 * usual
            number += self.is_open[day]
            self.number[day] = number
        self.day_of = {self.number[day]: day for day in reversed(days) if self.is_open[day]}


def recomputed(facts: pd.DataFrame, held: pd.DataFrame, opens: OpenDays, tutor: object, asked: date) -> dict[str, Any]:
    now = opens.number[asked - timedelta(days=1)]

    def within(rows: pd.DataFrame, least: int, most: int, on: str = "n") -> pd.DataFrame:
        """Rows of so many open days ago: 1 is the last one."""
        return rows[(rows[on] > now - most) & (rows[on] <= now - least + 1)]

    own, all_own = held[held["tutor_id"] == tutor], facts[facts["tutor_id"] == tutor]
    over = all_own[all_own["status"] != "scheduled"]
    past = own[own["n"] <= now]
    recent, before = len(within(own, 1, 28)), len(within(own, 29, 56))
    platform = log((len(within(held, 1, 28)) + 1) / (len(within(held, 29, 56)) + 1))
    lost = begun = new = 0
    days_of = {student: set(meetings["n"]) for student, meetings in past.groupby("student_id")}
    most = max(sum(any(n - 30 < day <= n for day in days) for days in days_of.values()) for n in set(past["n"]))
    for _, meetings in own.groupby("student_id"):
        numbers = sorted(set(meetings["n"]))
        for i, n in enumerate(numbers):
            following = numbers[i + 1] if i + 1 < len(numbers) else 10**6
            new += i == 0 and now - 56 < n <= now
            begun += n <= now < n + 30 and following > now
            lost += following - n > 30 and now - 56 < n + 30 <= now
    ratings = [rows["rating"].dropna() for rows in (within(own, 1, 90), past)]
    estimates = [(rating.sum() + 40) / (len(rating) + 10) for rating in ratings]
    end = opens.day_of.get(now + 60)
    is_known = end is not None and end < date.fromisoformat(AS_OF)
    at_the_end = own[(own["n"] > now + 30) & (own["n"] <= now + 60) & own["is_open"]]
    return {
        "sessions_28d": recent,
        "sessions_change": log((recent + 1) / (before + 1)) - platform,
        "days_since_session": now - past["n"].max(),
        "active_students": begun,
        "below_peak_share": 1 - begun / most,
        "new_students_56d": new,
        "lost_share_56d": lost / (begun + lost) if begun + lost else None,
        "let_down_rate": (len(within(over[over["is_let_down"]], 1, 90, "let_down_n")) + 1)
        / (len(within(over, 1, 90)) + 10),
        "rating": estimates[0],
        "rating_change": estimates[0] - estimates[1],
        "tenure_days": (asked - own["scheduled_on"].min()).days,
        "has_stopped": at_the_end.empty if is_known else None,
    }


def let_down_on(row: Any) -> date:
    first = [row["requested_on"] or row["scheduled_on"]] * bool(row["is_tutor_reschedule"])
    first += [row["cancelled_on"] or row["scheduled_on"]] * bool(row["is_tutor_cancellation"])
    first += [row["scheduled_on"]] * bool(row["is_tutor_no_show"])
    return max(row["scheduled_on"], min(first, default=row["scheduled_on"]))


@pytest.mark.parametrize("what", ["as it is", pytest.param("holidays", marks=pytest.mark.soak)])
def test_features_and_label_are_those_of_the_sessions(built: Dbt, connection: psycopg.Connection, what: str) -> None:
    until = date.fromisoformat(AS_OF)
    connection.execute("create temporary table kept_sessions as select * from raw.sessions")
    moves = "session_id, initiator, reason_code, reason, requested_at, original_time, new_time, updated_at"
    connection.execute(f"create temporary table kept_reschedules as select {moves} from raw.reschedules")
    connection.execute(LEAVERS)
    if what == "holidays":
        connection.execute(HOLIDAYS)
    try:
        built("run", "--select", "+attrition_outcomes", attrition_step_days=STEP)
        facts = read(connection, f"select {COLUMNS} from intermediate.int_session_facts").astype(object)
        stored = read(connection, "select * from intermediate.int_tutor_activity")
        learnt = read(connection, "select tutor_id, known_before from marts.attrition_outcomes")
    finally:
        connection.execute("update raw.tutors set capacity = null")
        connection.execute("delete from raw.reschedules; delete from raw.sessions")
        connection.execute("insert into raw.sessions select * from kept_sessions")
        connection.execute(f"insert into raw.reschedules ({moves}) select * from kept_reschedules")
        built("run", "--select", "+attrition_outcomes")
    facts = facts.where(facts.notna(), None)
    facts["rating"] = pd.to_numeric(facts["rating"])
    was_there = (facts["status"] == "completed") | ((facts["status"] == "no_show") & (facts["initiator"] == "student"))
    opens = OpenDays(facts[was_there & (facts["scheduled_on"] <= until)], until)
    beyond = 10**6  # before the first day and after the last one nothing is counted
    facts["n"] = [opens.number.get(day, -beyond if day < until else beyond) for day in facts["scheduled_on"]]
    facts["let_down_n"] = [
        opens.number.get(day, -beyond if day < until else beyond)
        for day in (let_down_on(row) for _, row in facts.iterrows())
    ]
    facts["is_open"] = [opens.is_open.get(day, False) for day in facts["scheduled_on"]]
    held = facts[was_there & (facts["scheduled_on"] <= until)]
    assert (sum(not is_open for is_open in opens.is_open.values()) > 14) == (what == "holidays")

    assert len(stored) > 100
    assert set(stored["has_stopped"].dropna()) == {True, False}
    for _, row in stored.iterrows():
        expected = recomputed(facts, held, opens, row["tutor_id"], row["known_before"])
        found = {name: None if pd.isna(row[name]) else row[name] for name in (*ATTRITION.names, "has_stopped")}
        assert {name: found[name] is None for name in found} == {name: expected[name] is None for name in expected}
        known = {name: float(value) for name, value in expected.items() if value is not None}
        assert {name: float(found[name]) for name in known} == pytest.approx(known, abs=1e-9), row["known_before"]
    # Nobody is left out who taught, nor learnt from before the outcome was known.
    asked = {day for day in stored["known_before"] if day <= until}
    for day in asked:
        now = opens.number[day - timedelta(days=1)]
        taught = held[(held["n"] > now - 56) & (held["n"] <= now)]
        lately = set(taught[taught["n"] > now - 28]["tutor_id"])
        often = {tutor for tutor, count in taught["tutor_id"].value_counts().items() if count >= 4}
        assert set(stored[stored["known_before"] == day]["tutor_id"]) == lately & often
    assert len(learnt) == stored["has_stopped"].notna().sum()
