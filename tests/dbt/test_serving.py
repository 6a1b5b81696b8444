"""What a model is told when it predicts is what it was taught: one moment, seen from later and from then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest

from core.database import Database
from ml.features import ATTRITION, MATCH, SESSION, STUDENT_NO_SHOW, Task
from ml.pairs import matrix
from ml.people import active_people
from ml.rules import rules_for
from tests.dbt.test_leakage import BUSIEST, DISTORTIONS, LATER, MOVE, OUTCOMES

if TYPE_CHECKING:
    from tests.dbt.conftest import Dbt

SERVED = ("+match_students", "+match_tutors", "+upcoming_session_features", "+attrition_features")
# What the rows are about was still to come on the eve.
STILL_TO_COME = """
update raw.sessions
set status = 'scheduled', rating = null, initiator = null, cancelled_at = null, started_at = null, completed_time = null
where session_id in (
    select session_id from marts.session_outcomes where booked_on = %(day)s::date
    union all
    select first_session_id from marts.match_outcomes where booked_on = %(day)s::date
);
"""
Rows = dict[tuple[Any, ...], tuple[float, ...]]


def learnt(connection: psycopg.Connection, task: Task, mart: str, key: str, day: str) -> Rows:
    """The rows as models learn from them, of the eve of the day."""
    on = "known_before" if task is ATTRITION else "booked_on"
    return found(connection, task, f"select {key}, {listed(task)} from {mart} where {on} = '{day}'", key.count(",") + 1)


def served(connection: psycopg.Connection, task: Task, view: str, key: str) -> Rows:
    """The rows as models are asked."""
    return found(connection, task, f"select {key}, {listed(task)} from {view}", key.count(",") + 1)


def listed(task: Task) -> str:
    return ", ".join(f"{name}::int::float8" if name.startswith("is_") else f"{name}::float8" for name in task.names)


def found(connection: psycopg.Connection, task: Task, query: str, keys: int) -> Rows:
    rows = connection.execute(query.encode()).fetchall()
    return {row[:keys]: tuple(np.nan if value is None else value for value in row[keys:]) for row in rows}


def served_pairs(connection: psycopg.Connection) -> Rows:
    students, tutors = active_people(connection)
    rules = rules_for(MATCH)
    rows = matrix(rules, students, tutors).reshape(len(students), len(tutors), -1)
    from uuid import UUID

    return {
        (UUID(bytes=student.tobytes()), UUID(bytes=tutor.tobytes())): tuple(rows[i, j].tolist())
        for i, student in enumerate(students.ids)
        for j, tutor in enumerate(tutors.ids)
    }


def test_what_is_served_is_what_was_learnt(built: Dbt, database: Database) -> None:
    with database.connect(autocommit=True) as connection:
        built("run", "--select", *OUTCOMES, attrition_step_days=1)
        ((day,),) = connection.execute(BUSIEST, ["2024-05-01"]).fetchall()
        ((eve,),) = connection.execute("select (%s::date - 1)::text", [day]).fetchall()
        sessions = {
            task.kind: learnt(connection, task, "marts.session_outcomes", "session_id", day)
            for task in (SESSION, STUDENT_NO_SHOW)
        }
        pairs = learnt(connection, MATCH, "marts.match_outcomes", "student_id, tutor_id", day)
        tutors = learnt(connection, ATTRITION, "intermediate.int_tutor_activity", "tutor_id", day)
        connection.execute("create temporary table kept_sessions as select * from raw.sessions")
        connection.execute(f"create temporary table kept_reschedules as select {MOVE} from raw.reschedules")
        for statement in (LATER + STILL_TO_COME).split(";")[:-1]:
            connection.execute(statement.replace("%(day)s", f"'{day}'").encode())
        connection.execute(DISTORTIONS["delete"].encode())
        try:
            built("run", "--select", *SERVED, as_of=eve)
            then = {
                **{
                    task.kind: served(connection, task, "marts.upcoming_session_features", "session_id")
                    for task in (SESSION, STUDENT_NO_SHOW)
                },
                "match": served_pairs(connection),
                "attrition": served(connection, ATTRITION, "marts.attrition_features", "tutor_id"),
            }
        finally:
            connection.execute("delete from raw.reschedules; delete from raw.sessions")
            connection.execute("insert into raw.sessions select * from kept_sessions")
            connection.execute(f"insert into raw.reschedules ({MOVE}) select * from kept_reschedules")
            built("run", "--select", *OUTCOMES, *SERVED)
    for task, rows in ((SESSION, sessions["session"]), (STUDENT_NO_SHOW, sessions["student_no_show"]), (MATCH, pairs),
                       (ATTRITION, tutors)):  # fmt: skip
        compared = [key for key in rows if key in then[task.kind]]
        assert len(compared) > 3, task.kind
        assert len(compared) == len(rows), (task.kind, set(rows) - set(then[task.kind]))
        # How long before its first session a pair will be booked is known of those alone that are.
        names = [name for name in task.names if name not in task.filled]
        for name in names:
            place = task.names.index(name)
            one, other = (np.array([each[key][place] for key in compared]) for each in (rows, then[task.kind]))
            assert one == pytest.approx(other, abs=1e-5, nan_ok=True), (task.kind, name)
