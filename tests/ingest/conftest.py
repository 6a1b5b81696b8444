"""One database for the many small tests of the landing files, emptied before each: making one takes longer."""

from typing import Any

import pytest

from core.database import Database, DatabaseRole


@pytest.fixture(scope="session")
def shared_database(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Database:
    database: Database = postgres.new_database(tmp_path_factory.mktemp("landing"))
    return database


@pytest.fixture
def raw_database(shared_database: Database) -> Database:
    """A migrated database whose schema `raw` is empty, as those who load connect to it."""
    empty_raw(shared_database)
    return shared_database.as_role(DatabaseRole.INGEST)


def empty_raw(database: Database) -> None:
    with database.connect() as connection:
        for table in (
            "reschedules",
            "sessions",
            "tutors",
            "students",
            "quarantine",
            "loads",
            "refused_files",
            "unmoved_files",
            "landing_checksums",
            "changes",
        ):
            connection.execute(f"delete from raw.{table}".encode())
