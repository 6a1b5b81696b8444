"""What models learn from knows nothing of what came later: shift, change or delete all that, and no feature moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from core.database import Database
from ml.features import MATCH, SESSION

if TYPE_CHECKING:
    from tests.dbt.conftest import Dbt

# Of the day itself only what the rows are about: first sessions on it, and sessions booked on it.
LATER = """
create temporary table later_sessions as
select session_id from marts.fct_sessions
where
    scheduled_on >= %(day)s::date
    and session_id not in (select first_session_id from marts.match_outcomes where first_session_on = %(day)s::date)
    and session_id not in (select session_id from marts.session_outcomes where booked_on = %(day)s::date);
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
    """,
    "shift": """
        update raw.sessions
        set
            scheduled_time = scheduled_time + interval '17 days', rating = 1, initiator = 'tutor',
            status = case when status = 'completed' then 'no_show' else 'completed' end
        where session_id in (select session_id from later_sessions);
        update raw.reschedules set requested_at = requested_at + interval '9 days', initiator = 'student'
        where (session_id, move_time) in (select session_id, move_time from later_reschedules);
    """,
}


def features(connection: psycopg.Connection, day: str) -> dict[str, list[tuple[Any, ...]]]:
    """The features of pairs that first met on the day, and of sessions booked on it."""
    queries = {
        "pairs": f"select student_id, tutor_id, compatibility_score, {', '.join(MATCH.names)} "
        "from marts.match_outcomes where first_session_on = %s order by 1, 2",
        "sessions": f"select session_id, {', '.join(SESSION.names)} "
        "from marts.session_outcomes where booked_on = %s order by 1",
    }
    return {name: connection.execute(query.encode(), [day]).fetchall() for name, query in queries.items()}


@pytest.mark.parametrize(
    ("day", "distortion"), [("2024-03-20", "delete"), pytest.param("2024-05-07", "shift", marks=pytest.mark.soak)]
)
def test_features_do_not_know_what_came_later(built: Dbt, database: Database, day: str, distortion: str) -> None:
    with database.connect(autocommit=True) as connection:
        built("run", "--select", "+match_outcomes", "+session_outcomes")
        before = features(connection, day)
        assert all(len(rows) > 3 for rows in before.values())
        connection.execute("create temporary table kept_sessions as select * from raw.sessions")
        connection.execute(f"create temporary table kept_reschedules as select {MOVE} from raw.reschedules")
        for statement in LATER.split(";")[:-1]:
            connection.execute(statement.replace("%(day)s", f"'{day}'").encode())
        connection.execute(DISTORTIONS[distortion].encode())
        try:
            built("run", "--select", "+match_outcomes", "+session_outcomes")
            after = features(connection, day)
        finally:
            connection.execute("delete from raw.reschedules; delete from raw.sessions")
            connection.execute("insert into raw.sessions select * from kept_sessions")
            connection.execute(f"insert into raw.reschedules ({MOVE}) select * from kept_reschedules")
    for name, rows in before.items():
        # Shifted sessions that were only scheduled have an outcome now: there may be more rows than before.
        assert set(rows) <= set(after[name]), {
            row: [other for other in after[name] if other[0] == row[0]] for row in set(rows) - set(after[name])
        }
