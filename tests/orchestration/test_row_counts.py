"""Rows of tables are counted over a connection that may be lost meanwhile."""

from pathlib import Path

from psycopg import sql

from orchestration.row_counts import RowCounts
from tests.conftest import Postgres

END_OTHERS = """
select pg_terminate_backend(pid, 5000) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
"""
SESSIONS_END = "alter database {} set idle_session_timeout = '1min'"


def test_a_lost_connection_is_replaced_and_a_lost_database_is_told(postgres: Postgres, tmp_path: Path) -> None:
    database = postgres.new_database(tmp_path)
    told: list[str] = []
    with RowCounts(database, told.append) as counts:
        assert counts.of("raw", "tutors") == 0
        with database.connect() as connection:
            connection.execute(END_OTHERS)
        assert counts.of("raw", "tutors") == 0
        assert told == []
        postgres.drop(database)
        assert counts.of("raw", "tutors") is None
    assert told == ["the rows of raw.tutors are not counted (DatabaseUnreachableError)"]


def test_no_session_is_ended_for_waiting(postgres: Postgres, tmp_path: Path) -> None:
    database = postgres.new_database(tmp_path)
    with database.connect() as connection:
        connection.execute(sql.SQL(SESSIONS_END).format(sql.Identifier(connection.info.dbname)))
    with RowCounts(database, print) as counts:
        counts.of("raw", "tutors")
        assert counts._connection is not None
        assert counts._connection.execute("show idle_session_timeout").fetchone() == ("0",)
