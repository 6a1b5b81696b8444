"""One database for the many small tests of the landing files, emptied before each: making one takes longer."""

from typing import Any

import pytest

from core.database import Database


@pytest.fixture(scope="session")
def shared_database(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Database:
    database: Database = postgres.new_database(tmp_path_factory.mktemp("landing"))
    return database


@pytest.fixture
def raw_database(shared_database: Database) -> Database:
    """A migrated database whose schema `raw` is empty."""
    empty_raw(shared_database)
    return shared_database


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
