"""A database of the version before is brought up with nothing lost."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.config import Config
from psycopg.errors import InsufficientPrivilege

from core import audit
from core.database import Database
from core.migrate import MIGRATIONS_DIR, migrate

if TYPE_CHECKING:
    from tests.conftest import Postgres

ROWS = """
insert into raw.tutors (tutor_id) values ('00000000-0000-0000-0000-000000000001');
insert into raw.students (student_id) values ('00000000-0000-0000-0000-000000000002');
insert into raw.sessions (session_id, tutor_id, student_id, scheduled_time, status, rating, updated_at, loaded_at)
select
    md5(number::text)::uuid, '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002',
    timestamptz '2026-01-05 10:00+00' + number * interval '1 hour', 'rescheduled', 4, '2026-01-06 00:00+00',
    '2026-01-06 00:01+00'
from generate_series(1, 4) as number;
insert into raw.reschedules (session_id, initiator, reason, requested_at, original_time, new_time, loaded_at)
values
    (md5('1')::uuid, 'tutor', 'ill', '2026-01-04 10:00+00', '2026-01-05 11:00+00', null, '2026-01-06 00:01+00'),
    (md5('2')::uuid, 'student', null, null, '2026-01-05 12:00+00', '2026-01-07 12:00+00', '2026-01-06 00:01+00'),
    (md5('3')::uuid, 'student', null, null, null, '2026-01-07 12:00+00', '2026-01-06 00:01+00'),
    (md5('4')::uuid, 'platform', 'unknown', null, null, null, '2026-01-06 00:01+00');
"""
# One contact that was corrected, one that was withdrawn.
CASE = """
insert into app.cases (tutor_id, concerns, standing, snapshot, opened_by, opened_on)
values ('00000000-0000-0000-0000-000000000001', '{}', '{}', '[]', 'tutorq', '2026-01-05');
insert into app.case_events (case_id, kind, actor, version, details, happened_on, corrects)
select cases.case_id, event.*
from app.cases as cases
cross join (
    values
        ('contact', 'Ann', 2, '{"text": "wrong"}'::jsonb, '2026-01-06'::date, null::bigint),
        ('contact', 'Ann', 3, '{"text": "right"}', '2026-01-07', 1),
        ('contact', 'Ann', 4, '{"text": "another tutor"}', '2026-01-07', null),
        ('withdrawn', 'Ann', 5, '{}', null, 3),
        ('stand_in', 'Ann', 5, '{}', null, null)
) as event;
"""
# Of two students and tutors, by two models whose runs had other limits; the last is as bad as any.
PAIRS = """
insert into ml.match_predictions
select
    ml.student_bucket(md5(student)::uuid), md5(student)::uuid, md5(tutor)::uuid, chance, level, 0.5, null, 1, 2, 30,
    model, moment::timestamptz
from (
    values
        ('one', 'a', 0.29::real, 'low', 'old', '2026-01-01'),
        ('one', 'b', 0.3, 'medium', 'old', '2026-01-01'),
        ('two', 'a', 0.7, 'high', 'old', '2026-01-01'),
        ('two', 'b', 0.4, 'low', 'new', '2026-01-02'),
        ('three', 'b', 1, 'medium', 'new', '2026-01-02')
) as pairs (student, tutor, chance, level, model, moment);
insert into ml.prediction_buckets (bucket, model_version, pairs) values (3, 'old', 4);
create table ml.match_predictions_07_next (like ml.match_predictions);
create view public.over_pairs as select * from ml.match_predictions;
"""
OLD_PAIRS = """
select student_id, tutor_id, churn_probability, risk_level, model_version, predicted_at
from ml.match_predictions order by 1, 2
"""
NEW_PAIRS = """
select
    student_id, tutor_id, churn_probability,
    case when churn_probability < medium_from then 'low' when churn_probability < high_from then 'medium'
        else 'high' end,
    model_version, predicted_at
from ml.match_predictions inner join ml.match_runs using (run_id) order by 1, 2
"""
SESSIONS = "select session_id, status, rating, updated_at, created_at, loaded_at from raw.sessions order by 1"
RESCHEDULES = """
select
    session_id, initiator, reason_code, reason, requested_at, original_time, new_time, updated_at, created_at, loaded_at
from raw.reschedules order by session_id, requested_at, original_time
"""


def stored(database: Database) -> list[list[tuple[object, ...]]]:
    with database.connect() as connection:
        return [connection.execute(query.encode()).fetchall() for query in (SESSIONS, RESCHEDULES)]


@pytest.fixture
def old(postgres: "Postgres", tmp_path: Path) -> Database:
    """A database as the version before left it, with rows."""
    database = postgres.database("upgraded", tmp_path)
    with postgres.server.connect(autocommit=True) as connection:
        connection.execute("drop database if exists upgraded")
    migrate(database, "0019", with_dagster=False)
    with database.connect() as connection:
        connection.execute(ROWS.encode())
    return database


def test_an_upgrade_loses_nothing(old: Database) -> None:
    before = stored(old)
    migrate(old, with_dagster=False)
    assert stored(old) == before
    moves = "select (move_time at time zone 'UTC')::text from raw.reschedules order by move_time"
    with old.connect() as connection:
        assert connection.execute(moves).fetchall() == [
            ("-infinity",), ("2026-01-04 10:00:00",), ("2026-01-05 12:00:00",), ("2026-01-07 12:00:00",)
        ]  # fmt: skip
        [(noted,)] = connection.execute("select count(distinct entity_id) from raw.changes where entity = 'session'")
    assert noted == 4


def test_stored_pairs_keep_what_cannot_be_derived(postgres: "Postgres", tmp_path: Path) -> None:
    database = postgres.database("wide_pairs", tmp_path)
    with postgres.server.connect(autocommit=True) as connection:
        connection.execute("drop database if exists wide_pairs")
    migrate(database, "0044", with_dagster=False)
    with database.connect() as connection:
        connection.execute(PAIRS.encode())
        before = connection.execute(OLD_PAIRS.encode()).fetchall()
    migrate(database, with_dagster=False)
    with database.connect() as connection:
        assert connection.execute(NEW_PAIRS.encode()).fetchall() == before
        partitions = """
            select relname::text, pg_get_expr(relpartbound, oid), relowner::regrole::text
            from pg_class inner join pg_inherits on oid = inhrelid and inhparent = 'ml.match_predictions'::regclass
            order by 1
        """
        assert connection.execute(partitions.encode()).fetchall() == [
            (f"match_predictions_{bucket:02d}", f"FOR VALUES IN ('{bucket}')", "tutorq_transform")
            for bucket in range(16)
        ]
        left = "select relname::text from pg_class where relname ~ 'old_predictions|^match_predictions_.*_next'"
        assert connection.execute(left.encode()).fetchall() == []
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS_DIR))
    config.attributes["engine"] = database.sqlalchemy_engine()
    command.downgrade(config, "0044")
    with database.connect() as connection:
        # To be predicted anew: the sensor looks for buckets that are missing here.
        assert connection.execute("select (select count(*) from ml.prediction_buckets)").fetchone() == (0,)
        connection.execute(PAIRS.split("insert into ml.prediction_buckets")[0].encode())
    migrate(database, with_dagster=False)


def test_cases_are_taken_back_a_version_and_forward_again(postgres: "Postgres", tmp_path: Path) -> None:
    database = postgres.database("downgraded", tmp_path)
    with postgres.server.connect(autocommit=True) as connection:
        connection.execute("drop database if exists downgraded")
    migrate(database, with_dagster=False)
    with database.connect() as connection:
        connection.execute(ROWS.encode())
        connection.execute(CASE.encode())
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS_DIR))
    config.attributes["engine"] = database.sqlalchemy_engine()
    command.downgrade(config, "0031")
    kinds = "select kind, details ->> 'text' from app.case_events order by event_id"
    with database.connect() as connection:
        # As the case stands: without what was corrected and withdrawn, and what the version does not know.
        assert connection.execute(kinds.encode()).fetchall() == [("contact", "right")]
    migrate(database, with_dagster=False)
    with database.connect() as connection, pytest.raises(InsufficientPrivilege, match="append-only"):
        connection.execute("delete from app.case_events")


def test_views_of_dbt_do_not_stop_a_downgrade(old: Database) -> None:
    migrate(old, "0031", with_dagster=False)
    with old.connect() as connection:
        connection.execute("create view public.over_sessions as select session_id, lesson_id from raw.sessions")
    before = stored(old)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS_DIR))
    config.attributes["engine"] = old.sqlalchemy_engine()
    command.downgrade(config, "0030")
    assert stored(old) == before
    migrate(old, with_dagster=False)
    assert stored(old) == before


def test_older_entries_of_the_audit_log_are_chained(postgres: "Postgres", tmp_path: Path) -> None:
    database = postgres.database("unchained", tmp_path)
    with postgres.server.connect(autocommit=True) as connection:
        connection.execute("drop database if exists unchained")
    migrate(database, "0048", with_dagster=False)
    columns = "entry_id, happened_at, actor, action, subject_kind, subject_id, details"
    entries = f"select {columns} from app.audit_log order by 1"
    with database.connect() as connection:
        for _ in range(3):
            connection.execute(
                "insert into app.audit_log (actor, action, subject_kind, subject_id, details) "
                "values ('Ann', 'excuse.add', 'session', 's', '{\"n\": 1.50}')"
            )
        before = connection.execute(entries.encode()).fetchall()
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS_DIR))
    for _ in range(2):
        migrate(database, with_dagster=False)
        with database.connect() as connection:
            assert connection.execute(entries.encode()).fetchall() == before
            assert audit.verify(connection).place == 3
        config.attributes["engine"] = database.sqlalchemy_engine()
        command.downgrade(config, "0048")
    with database.connect() as connection, pytest.raises(InsufficientPrivilege):
        connection.execute("delete from app.audit_log")
