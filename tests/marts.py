"""Two marketplaces of generated rows on fixed days, and what the marts hold."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import psycopg

from core.database import Database
from core.settings import Settings

MARKETPLACE = Path(__file__).parent / "marketplace.sql"
AS_OF = "2024-06-30"

# Of columns, of a number of moves and of a table that versions before knew nothing of.
DETAILS = """
update raw.sessions
set
    initiator = case when status = 'cancelled' then (array['tutor', 'student'])[1 + minute % 2] else initiator end,
    cancelled_at = case when status = 'cancelled' then scheduled_time - minute * interval '1 hour' end,
    started_at = case when status = 'completed' then scheduled_time + (minute - 20) * interval '20 seconds' end,
    reason_code = case
        when status in ('cancelled', 'no_show') then (array['sick', 'traffic', null])[1 + minute % 3]
    end,
    technical_issue = (array[true, false, null])[1 + minute % 3]
from (
    select session_id as id, extract(minute from scheduled_time)::integer as minute from raw.sessions
) as numbered
where session_id = id and minute % 7 > 0;
"""
SECOND_MOVES = """
insert into raw.reschedules (session_id, initiator, requested_at, original_time, updated_at)
select
    session_id, case when initiator = 'tutor' then 'student' else 'tutor' end, requested_at + interval '90 minutes',
    original_time, updated_at
from raw.reschedules
where extract(minute from requested_at) < 10;
"""
PAIRS = """
with run as (
    insert into ml.match_runs (model_version, medium_from, high_from) values ('test', 0.3, 0.7) returning run_id
)

insert into ml.match_predictions (student_id, tutor_id, churn_probability, run_id, bucket)
select student_id, md5('tutor 1')::uuid, 0.25, run_id, ml.student_bucket(student_id) from raw.students cross join run;
"""
PAIRS_OF_BEFORE = """
insert into ml.match_predictions
    (bucket, student_id, tutor_id, churn_probability, risk_level, compatibility_score, model_version)
select ml.student_bucket(student_id), student_id, md5('tutor 1')::uuid, 0.25, 'low', 0.5, 'test' from raw.students;
"""
# 30 tutors, 90 students and 2,000 sessions in the 150 days up to AS_OF, with every status and case in them.
DATA = f"""
insert into raw.tutors (tutor_id, name, subjects, age, teaching_style, preferred_pace, communication_style)
select
    md5('tutor ' || i)::uuid, 'Tutor ' || i, array['Math'], 20 + i,
    (array['structured', 'flexible', 'interactive', null])[1 + i % 4], 1 + i % 5, nullif(i * 3 % 6, 0)
from generate_series(1, 30) as i;
insert into raw.students (student_id, name, age, preferred_teaching_style, preferred_pace, communication_style)
select
    md5('student ' || i)::uuid, 'Student ' || i, nullif(6 + i % 10, 12),
    (array['structured', 'flexible', 'interactive'])[1 + i % 3], nullif(i % 6, 0), 1 + i % 5
from generate_series(1, 90) as i;

insert into raw.sessions (session_id, tutor_id, student_id, scheduled_time, status, rating, initiator, updated_at)
select
    md5('session ' || i)::uuid,
    md5('tutor ' || 1 + (i * i + i / 29) % 29)::uuid,
    md5('student ' || 1 + i % 90)::uuid,
    '2024-06-30 23:30+00'::timestamptz - i * interval '107 minutes',
    (array['completed', 'completed', 'completed', 'completed', 'rescheduled', 'cancelled', 'no_show', 'scheduled'])
    [1 + i * 7 % 8],
    case when i % 3 = 0 then 1 + i % 17 / 4.25 end,
    case when i % 2 = 0 then 'tutor' else 'student' end,
    '2024-06-30 00:00+00'
from generate_series(1, 2000) as i;
update raw.sessions
set booked_at = scheduled_time - (extract(minute from scheduled_time) - 5) * interval '4 hours'
where extract(minute from scheduled_time) < 50;
{DETAILS}
insert into raw.reschedules (session_id, initiator, reason_code, requested_at, original_time, updated_at)
select
    session_id,
    case when i % 10 = 0 then 'student' else 'tutor' end,
    (array['sick', 'school', null])[1 + i % 3],
    case when i % 7 > 0 then scheduled_time - (i % 60 - 5) * interval '1 hour' end,
    case when i % 4 > 0 then scheduled_time end,
    '2024-06-30 00:00+00'
from (
    select *, row_number() over (order by session_id) as i from raw.sessions
    where status in ('rescheduled', 'cancelled')
) as numbered
where i % 9 > 0;
{SECOND_MOVES}
insert into app.excuses (session_id, reason, created_by)
select session_id, 'ill', 'test' from raw.reschedules where initiator = 'tutor' order by session_id limit 20;

insert into app.excuses (session_id, reason, created_by)
select session_id, 'ill', 'test' from raw.sessions
where status in ('cancelled', 'no_show') and initiator = 'tutor' order by session_id limit 20
on conflict do nothing;

{PAIRS}
"""
DATA_OF_BEFORE = DATA.replace(DETAILS, "").replace(SECOND_MOVES, "").replace(PAIRS, PAIRS_OF_BEFORE)


class Marts:
    """What the marts hold, row by row, as text; Postgres writes numbers so that no bit is lost."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def names(self) -> Sequence[str]:
        rows = self._connection.execute(
            "select table_name from information_schema.tables where table_schema = 'marts' order by table_name"
        )
        return [str(name) for (name,) in rows]

    def content(self) -> dict[str, list[str]]:
        return {name: self._rows(name) for name in self.names()}

    def _rows(self, name: str) -> list[str]:
        ignored = " - 'generation' - 'published_at' - 'refreshed_at'" if name == "publication" else ""
        rows = self._connection.execute(f"select (to_jsonb(t){ignored})::text from marts.{name} as t".encode())
        return sorted(str(row) for (row,) in rows)


TUTORS = 40
DAY = date(2026, 1, 31)
HISTORY_DAYS = 30
# Small changes of what dbt has built, for tests to name what they expect.
FIXED = """
update marts.publication
set generation = 7, published_at = '2026-01-31 12:00:04.512+00', refreshed_at = '2026-01-31 12:00:04.512+00';
-- The days before, all flagged tutors were only watched, and nothing else has changed.
update marts.score_history as history
set
    risk_status = case scores.risk_status when 'high_risk' then 'watch' else scores.risk_status end,
    risk_status_since = least(scores.risk_status_since, history.as_of)
from marts.tutor_scores as scores
where history.tutor_id = scores.tutor_id and history.as_of < scores.as_of;
"""


def publish(database: Database, home: Path) -> None:
    """Have dbt build the marts as of DAY, with a month of history, and fix some of their rows."""
    from core.dbt_runner import build

    settings = Settings(home=home, database_url=database.url, as_of=DAY.isoformat())
    history = [DAY - timedelta(days=days) for days in range(1, HISTORY_DAYS)]
    build(settings, database, exclude=["resource_type:test"], scoring_days=history)
    # Once more, since when each status lasts, now that the day before is recorded.
    build(settings, database, select=["tutor_scores", "score_history"], exclude=["resource_type:test"])
    with database.connect() as connection:
        connection.execute(FIXED)
