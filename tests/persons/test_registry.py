"""The registry knows every column that could hold a person, in every schema."""

import psycopg
import pytest

from core.database import Database
from persons.registry import COLUMNS, DERIVED, SCHEMAS, TABLES, Fate, holds_of, stored_tables
from tests.conftest import PUBLISHED, Postgres

OURS = ("pg_catalog", "information_schema", "pg_toast", "public")


@pytest.fixture
def published(postgres: Postgres, tmp_path) -> Database:  # type: ignore[no-untyped-def]
    return postgres.new_database(tmp_path, PUBLISHED)


def unknown_columns(connection: psycopg.Connection) -> list[str]:
    return [
        f"{table.name}.{column} ({kind})"
        for table in stored_tables(connection)
        for column, kind in table.types.items()
        if holds_of(table.name, column) is None
    ]


def test_every_column_is_known(published: Database) -> None:
    with published.connect() as connection:
        assert unknown_columns(connection) == [], "say in persons/registry.py what the column holds"
        stored = {table.name for table in stored_tables(connection)}
        assert set(TABLES) <= stored
        assert {name.rpartition(".")[0] for name in COLUMNS} <= stored
        schemas = {
            name
            for (name,) in connection.execute("select nspname from pg_namespace where nspname !~ '^pg_(toast|temp)'")
        }
        assert schemas - {*OURS} <= {*SCHEMAS}, "a schema that nobody looks through"


def test_a_new_column_is_noticed(published: Database) -> None:
    with published.connect() as connection:
        connection.execute("alter table app.cases add column phone text")
        connection.execute("alter table marts.tutor_scores add column home_address text")
        connection.execute("create table ml.letters (letter_id bigint, written_to text)")
        assert sorted(unknown_columns(connection)) == [
            "app.cases.phone (text)",
            "marts.tutor_scores.home_address (text)",
            "ml.letters.written_to (text)",
        ]
        connection.rollback()


def test_every_table_with_an_id_has_a_way_to_erase_it(published: Database) -> None:
    """Whoever adds a table of `raw`, `app` or `ml` that has the id of a person says what becomes of its rows."""
    with published.connect() as connection:
        for table in stored_tables(connection):
            if table.is_derived:
                continue
            known = TABLES.get(table.name, {})
            if "tutor_id" in table.columns or "session_id" in table.columns:
                assert "tutor" in known, table.name
            if "student_id" in table.columns:
                assert "student" in known, table.name


def test_statements_fit_their_tables(published: Database) -> None:
    """Each one is understood by the server, for both kinds."""
    from uuid import uuid4

    from persons.identity import Identity
    from persons.registry import renumbered

    nobody = uuid4()
    with published.connect() as connection:
        connection.execute("set local tutorq.erasing = 'on'")
        for kind in ("tutor", "student"):
            for table in stored_tables(connection):
                rows = table.rows(kind)
                if rows is not None:
                    assert (rows.fate is Fate.REPLACE) == bool(rows.changes)
                    statement, used = renumbered(rows.sql(table.name), Identity(kind, nobody).parameters(nobody))
                    with psycopg.RawCursor(connection) as cursor:
                        assert cursor.execute(statement.encode(), used).rowcount == 0, table.name
        connection.rollback()
    assert set(DERIVED) < set(SCHEMAS)
