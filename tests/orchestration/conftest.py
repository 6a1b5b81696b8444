"""Dagster's storage in memory: in files, storing an event costs more than most of what the event is about. And a small
marketplace with its marts."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest

from core import dbt_runner
from core.database import Database, DatabaseRole
from core.settings import Settings
from demo import write_demo
from ingest import load_folder
from tests.conftest import Postgres


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture(scope="session")
def template(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Database:
    """A small marketplace with its marts, made once; tests get copies of it."""
    home = tmp_path_factory.mktemp("marketplace")
    database = postgres.new_database(home)
    write_demo(home / "demo", tutors=20, students=60, days=120, seed=3)
    load_folder(database.as_role(DatabaseRole.INGEST), home / "demo", timezone="UTC")
    dbt_runner.build(Settings(home=home, database_url=database.url), database)
    return database


@pytest.fixture
def marketplace(
    template: Database, postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Settings, Database]:
    name = f"copy_{uuid4().hex[:8]}"
    of = template.url.partition("?")[0].rpartition("/")[2]
    server = Database(Settings(home=tmp_path, database_url=template.url.replace(f"/{of}?", "/postgres?")))
    with server.connect(autocommit=True) as connection:
        connection.execute(f"create database {name} template {of}".encode())
    monkeypatch.setenv("TUTORQ_HOME", str(tmp_path))
    monkeypatch.setenv("TUTORQ_DATABASE_URL", template.url.replace(f"/{of}?", f"/{name}?"))
    settings = Settings()
    return settings, Database(settings)
