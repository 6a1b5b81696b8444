"""A database of the version before is brought up with nothing lost."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.config import Config

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
