"""What models learn from knows nothing of what came later: shift, change or delete all that, and no feature moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from core.database import Database
from ml.features import ATTRITION, MATCH, SESSION, STUDENT_NO_SHOW

if TYPE_CHECKING:
    from tests.dbt.conftest import Dbt

# Of what came later only what the rows are about: first sessions and others that were booked on the day. Of what was
# booked before it, only that it is planned.
LATER = """
create temporary table later_sessions as
select session_id from marts.fct_sessions
where
    scheduled_on >= %(day)s::date
    and coalesce((booked_at at time zone 'UTC')::date >= %(day)s::date, true)
    and session_id not in (select first_session_id from marts.match_outcomes where booked_on = %(day)s::date)
    and session_id not in (select session_id from marts.session_outcomes where booked_on = %(day)s::date);
create temporary table planned_sessions as
select session_id from marts.fct_sessions
where
    scheduled_on >= %(day)s::date
    and (booked_at at time zone 'UTC')::date < %(day)s::date
    and coalesce(least(called_off_on, (cancelled_at at time zone 'UTC')::date) >= %(day)s::date, true);
create temporary table later_reschedules as
select session_id, move_time from raw.reschedules where (requested_at at time zone 'UTC')::date >= %(day)s::date;
"""
# All but what the table generates.
MOVE = "session_id, initiator, reason_code, reason, requested_at, original_time, new_time, updated_at"
DISTORTIONS = {
    "delete": """
        delete from raw.reschedules where session_id in (select session_id from later_sessions);
        delete from raw.reschedules
        where (session_id, move_time) in (select session_id, move_time from later_reschedules);
        delete from raw.sessions where session_id in (select session_id from later_sessions);
        update raw.sessions
        set
            status = 'scheduled', rating = null, initiator = null, cancelled_at = null, started_at = null,
            completed_time = null, reason_code = null, technical_issue = null
        where session_id in (select session_id from planned_sessions);
    """,
    "shift": """
        update raw.sessions
        set
            scheduled_time = scheduled_time + interval '17 days', rating = 1, initiator = 'tutor',
            status = case when status = 'completed' then 'no_show' else 'completed' end
        where session_id in (select session_id from later_sessions);
        update raw.sessions
        set
            rating = 1, initiator = 'tutor',
            status = case when status = 'completed' then 'no_show' else 'completed' end
        where session_id in (select session_id from planned_sessions);
        update raw.reschedules set requested_at = requested_at + interval '9 days', initiator = 'student'
        where (session_id, move_time) in (select session_id, move_time from later_reschedules);
    """,
}


def features(connection: psycopg.Connection, day: str) -> dict[str, list[tuple[Any, ...]]]:
    """The features of pairs whose first session was booked on the day, of sessions booked on it, and of tutors up to
    it."""
    queries = {
        "tutors": f"select tutor_id, known_before, {', '.join(ATTRITION.names)} "
        "from intermediate.int_tutor_activity where known_before <= %s order by 1, 2",
        "pairs": f"select student_id, tutor_id, compatibility_score, {', '.join(MATCH.names)} "
        "from marts.match_outcomes where booked_on = %s order by 1, 2",
        "sessions": f"select session_id, {', '.join(sorted({*SESSION.names, *STUDENT_NO_SHOW.names}))} "
        "from marts.session_outcomes where booked_on = %s order by 1",
    }
    return {name: connection.execute(query.encode(), [day]).fetchall() for name, query in queries.items()}


STEP = 7  # more days of tutors than models learn from
OUTCOMES = ("+match_outcomes", "+session_outcomes", "+attrition_outcomes")
# Of a month, the day on which the most first sessions were booked.
BUSIEST = """
select booked_on::text from marts.match_outcomes
where date_trunc('month', booked_on) = %s::date
group by booked_on order by count(*) desc, booked_on limit 1
"""


@pytest.mark.parametrize(
    ("month", "distortion"), [("2024-05-01", "delete"), pytest.param("2024-05-01", "shift", marks=pytest.mark.soak)]
)
def test_features_do_not_know_what_came_later(built: Dbt, database: Database, month: str, distortion: str) -> None:
    with database.connect(autocommit=True) as connection:
        built("run", "--select", *OUTCOMES, attrition_step_days=STEP)
        ((day,),) = connection.execute(BUSIEST, [month]).fetchall()
        before = features(connection, day)
        assert all(len(rows) > 3 for rows in before.values())
        connection.execute("create temporary table kept_sessions as select * from raw.sessions")
        connection.execute(f"create temporary table kept_reschedules as select {MOVE} from raw.reschedules")
        for statement in LATER.split(";")[:-1]:
            connection.execute(statement.replace("%(day)s", f"'{day}'").encode())
        connection.execute(DISTORTIONS[distortion].encode())
        try:
            built("run", "--select", *OUTCOMES, attrition_step_days=STEP)
            after = features(connection, day)
        finally:
            connection.execute("delete from raw.reschedules; delete from raw.sessions")
            connection.execute("insert into raw.sessions select * from kept_sessions")
            connection.execute(f"insert into raw.reschedules ({MOVE}) select * from kept_reschedules")
    for name, rows in before.items():
        # Shifted sessions that were only scheduled have an outcome now: there may be more rows than before.
        assert set(rows) <= set(after[name]), {
            row: [other for other in after[name] if other[:2] == row[:2]] for row in set(rows) - set(after[name])
        }
