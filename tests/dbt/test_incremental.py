"""Whatever happens to the raw rows, in whatever order: incremental runs and a full refresh agree to the last bit."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import psycopg
import pytest

from core.database import Database

if TYPE_CHECKING:
    from tests.dbt.conftest import Dbt, Marts

# Each takes the name of a session, the ordinal numbers of a tutor and a student, and a number of minutes.
CHANGES = {
    "insert": """
        insert into raw.sessions (session_id, tutor_id, student_id, scheduled_time, status, rating, initiator)
        values (
            md5(%(name)s)::uuid, md5('tutor ' || %(tutor)s)::uuid, md5('student ' || %(student)s)::uuid,
            '2024-06-30 12:00+00'::timestamptz - %(minutes)s * interval '1 minute',
            (array['completed', 'rescheduled', 'no_show', 'scheduled', 'cancelled'])[1 + %(minutes)s %% 5],
            1 + %(minutes)s %% 400 / 100.0, (array['tutor', 'student'])[1 + %(minutes)s %% 2]
        )
        on conflict do nothing
    """,
    "move": """
        update raw.sessions set scheduled_time = scheduled_time - %(minutes)s * interval '1 minute'
        where session_id = md5(%(name)s)::uuid
    """,
    "change tutor": """
        update raw.sessions set tutor_id = md5('tutor ' || %(tutor)s)::uuid where session_id = md5(%(name)s)::uuid
    """,
    "change student": """
        update raw.sessions set student_id = md5('student ' || %(student)s)::uuid
        where session_id = md5(%(name)s)::uuid
    """,
    "change status": """
        update raw.sessions
        set status = (array['completed', 'rescheduled', 'cancelled', 'no_show', 'scheduled'])[1 + %(minutes)s %% 5]
        where session_id = md5(%(name)s)::uuid
    """,
    "cancel": """
        update raw.sessions
        set
            status = 'cancelled', initiator = (array['tutor', 'student', null])[1 + %(tutor)s %% 3],
            reason_code = (array['sick', 'exam', null])[1 + %(minutes)s %% 3],
            cancelled_at = scheduled_time - %(minutes)s %% 4000 * interval '1 minute'
        where session_id = md5(%(name)s)::uuid
    """,
    "start": """
        update raw.sessions
        set
            started_at = scheduled_time + (%(minutes)s %% 20 - 5) * interval '1 minute',
            technical_issue = (array[true, false, null])[1 + %(minutes)s %% 3]
        where session_id = md5(%(name)s)::uuid
    """,
    "join a lesson": """
        update raw.sessions set lesson_id = (array['lesson', 'other', null])[1 + %(minutes)s %% 3]
        where session_id = md5(%(name)s)::uuid
    """,
    "rate": "update raw.sessions set rating = 1 + %(minutes)s %% 5 where session_id = md5(%(name)s)::uuid",
    "delete": "delete from raw.sessions where session_id = md5(%(name)s)::uuid",
    "reschedule": """
        insert into raw.reschedules (session_id, initiator, reason_code, requested_at)
        values (
            md5(%(name)s)::uuid, (array['tutor', 'tutor', 'student'])[1 + %(minutes)s %% 3],
            (array['sick', 'school', null])[1 + %(tutor)s %% 3],
            '2024-06-30 12:00+00'::timestamptz - %(minutes)s * interval '1 minute'
        )
        on conflict (session_id, move_time) do update set initiator = excluded.initiator
    """,
    "take reschedule back": "delete from raw.reschedules where session_id = md5(%(name)s)::uuid",
    "excuse": """
        insert into app.excuses (session_id, reason, created_by) values (md5(%(name)s)::uuid, 'ill', 'test')
        on conflict do nothing
    """,
    "take excuse back": "delete from app.excuses where session_id = md5(%(name)s)::uuid",
    "rename tutor": "update raw.tutors set name = %(name)s where tutor_id = md5('tutor ' || %(tutor)s)::uuid",
}


def change_something(connection: psycopg.Connection, chance: random.Random) -> None:
    # Names beyond 2,000 are unknown at first: their reschedules and excuses come before the session.
    connection.execute(
        CHANGES[chance.choice(list(CHANGES))].encode(),
        {
            "name": f"session {chance.randrange(1, 2100)}",
            "tutor": chance.randrange(1, 31),
            "student": chance.randrange(1, 91),
            "minutes": chance.randrange(0, 100 * 24 * 60),
        },
    )


# Two at least: since when a status lasts is known with the run after the one that records the day before.
@pytest.mark.parametrize("steps", [[40, 400], pytest.param([1, 40, 400], marks=pytest.mark.soak)], ids=["some", "all"])
def test_incremental_runs_equal_a_full_refresh(built: Dbt, database: Database, marts: Marts, steps: list[int]) -> None:
    chance = random.Random(1)
    days = ["2024-06-28", "2024-06-29"]
    for changes in steps:
        with database.connect() as writer:
            for _ in range(changes):
                change_something(writer, chance)
        built("run", scoring_days=days)
    incremental = marts.content()
    built("run", "--full-refresh", scoring_days=days)
    assert marts.content() == incremental


@pytest.mark.soak
def test_incremental_runs_equal_a_first_build(
    built: Dbt, database: Database, connection: psycopg.Connection, marts: Marts
) -> None:
    chance = random.Random(3)
    connection.execute("truncate marts.score_history")
    with database.connect() as writer:
        for _ in range(100):
            change_something(writer, chance)
    built("run")
    incremental = marts.content()
    connection.execute("set client_min_messages = warning")
    connection.execute("drop schema marts, intermediate, staging cascade")
    for schema in ("marts", "intermediate", "staging"):
        connection.execute(f"create schema {schema} authorization tutorq_transform".encode())
    connection.execute("grant usage on schema marts to tutorq_api")
    built("build", "--exclude-resource-type", "test", "unit_test")
    assert marts.content() == incremental


PAIRS = "select to_jsonb(t)::text, xmin::text from intermediate.int_pair_histories as t order by 1"
# All but what the table generates.
MOVE = "session_id, initiator, reason_code, reason, requested_at, original_time, new_time, updated_at"
KEEP = f"""
create temporary table kept_sessions as select * from raw.sessions;
create temporary table kept_reschedules as select {MOVE} from raw.reschedules;
create temporary table kept_excuses as select * from app.excuses;
"""
PUT_BACK = f"""
delete from app.excuses; delete from raw.reschedules; delete from raw.sessions;
insert into raw.sessions select * from kept_sessions;
insert into raw.reschedules ({MOVE}) select * from kept_reschedules;
insert into app.excuses select * from kept_excuses;
"""


@pytest.mark.parametrize(
    "days",
    [
        ["2024-05-20", "2024-06-30"],
        pytest.param(["2024-06-29", "2024-06-30", "2024-05-20", "2024-06-30"], marks=pytest.mark.soak),
    ],
    ids=["some", "all"],
)
def test_histories_of_pairs_follow_late_changes_and_the_day(
    built: Dbt, database: Database, connection: psycopg.Connection, days: list[str]
) -> None:
    chance = random.Random(4)
    connection.execute(KEEP.encode())
    built("run", "--select", "+match_outcomes")
    try:
        for day in days:
            before = connection.execute(PAIRS.encode()).fetchall()
            with database.connect() as writer:
                for _ in range(5):
                    change_something(writer, chance)
            built("run", "--select", "+match_outcomes", as_of=day)
            incremental = connection.execute(PAIRS.encode()).fetchall()
            assert set(before) & set(incremental), "none was left alone"
            built("run", "--select", "int_pair_histories", "--full-refresh", as_of=day)
            again = [row for row, _ in connection.execute(PAIRS.encode()).fetchall()]
            assert [row for row, _ in incremental] == again
            assert len(again) > 100
    finally:
        connection.execute(PUT_BACK.encode())
        built("run", "--select", "+match_outcomes")
