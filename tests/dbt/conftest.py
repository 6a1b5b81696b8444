"""A real Postgres with generated data, and dbt run in this process on one parsed manifest."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from core import dbt_runner
from core.database import Database
from core.settings import PROJECT_ROOT
from tests.marts import AS_OF, DATA, Marts

if TYPE_CHECKING:
    from tests.conftest import Postgres

PROJECT = PROJECT_ROOT / "dbt_project"


class Dbt:
    """Runs dbt commands on the project; every one starts from the manifest as it was parsed.

    dbt writes compiled code into the manifest, and would take the code of ephemeral models from there even
    where the vars are others, so each command gets its own copy.
    """

    def __init__(self, database: Database, target_path: Path) -> None:
        self.target_path = target_path
        self._libpq = database.libpq_environment()
        os.environ.update(self._libpq)
        parsed = dbt_runner.parsed_by_install()
        if parsed is None:  # a file is newer
            dbt_runner.parse()
            parsed = dbt_runner.parsed_by_install()
        assert parsed is not None
        self.manifest = parsed

    def __call__(self, *command: str, **variables: object) -> Any:
        """Run `command`; `as_of` is AS_OF unless it is among the variables. Fails the test unless dbt succeeds."""
        from dbt.cli.main import dbtRunner

        # Tests of other folders, in between, have dbt build other databases.
        os.environ.update(self._libpq)
        runner = dbtRunner(manifest=self.manifest.deepcopy())  # type: ignore[no-untyped-call]
        outcome = runner.invoke([*command, *self._options(variables)])
        assert outcome.success, outcome.exception or failures(outcome.result)
        return outcome.result

    def _options(self, variables: Mapping[str, object]) -> list[str]:
        return [
            "--project-dir",
            str(PROJECT),
            "--profiles-dir",
            str(PROJECT),
            "--target-path",
            str(self.target_path),
            "--log-path",
            str(self.target_path),
            "--quiet",
            "--log-level-file",
            "none",
            "--vars",
            str({"as_of": AS_OF, **variables}),
        ]


def failures(result: Any) -> list[str]:
    return [f"{each.node.name}: {each.message}" for each in result if each.status in ("fail", "error", "warn")]


@pytest.fixture(scope="session")
def database(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Database:
    """One database for all tests here, with DATA in it."""
    database = postgres.new_database(tmp_path_factory.mktemp("dbt"))
    with database.connect() as connection:
        connection.execute(DATA)
    return database


@pytest.fixture(scope="session")
def dbt(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Dbt:
    return Dbt(database, tmp_path_factory.mktemp("target"))


@pytest.fixture(scope="session")
def built(dbt: Dbt) -> Dbt:
    """dbt, with everything built once, unit tests and data tests included."""
    result = dbt("build")
    assert not failures(result)
    assert {each.node.resource_type for each in result} >= {"model", "test", "unit_test"}
    return dbt


@pytest.fixture
def connection(database: Database) -> Iterator[psycopg.Connection]:
    with database.connect(autocommit=True) as connection:
        yield connection


@pytest.fixture
def marts(connection: psycopg.Connection) -> Marts:
    return Marts(connection)
