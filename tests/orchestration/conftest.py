"""Dagster's storage in memory: in files, storing an event costs more than most of what the event is about. And a small
marketplace with its marts."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from core import dbt_runner
from core.database import Database, DatabaseRole
from core.settings import Settings
from demo import write_demo
from ingest import load_folder
from tests.conftest import MADE, Postgres


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture(scope="session")
def template(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a database with a small marketplace and its marts, made once per gate; tests get copies of it."""

    def made() -> Database:
        home = tmp_path_factory.mktemp("marketplace")
        database = postgres.new_database(home, MADE)
        write_demo(home / "demo", tutors=20, students=60, days=120, seed=3)
        load_folder(database.as_role(DatabaseRole.INGEST), home / "demo", timezone="UTC")
        dbt_runner.build(Settings(home=home, database_url=database.url), database, exclude=["resource_type:test"])
        return database

    postgres.make_template("marketplace", made)
    return "marketplace"


@pytest.fixture
def marketplace(
    template: str, postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Settings, Database]:
    copy = postgres.new_database(tmp_path, template)
    monkeypatch.setenv("TUTORQ_HOME", str(tmp_path))
    monkeypatch.setenv("TUTORQ_DATABASE_URL", copy.url)
    settings = Settings()
    return settings, Database(settings)
