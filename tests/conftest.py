"""One embedded Postgres for the whole session, and a migrated database of its own for every test that asks."""

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from core.database import Database
from core.migrate import migrate
from core.settings import Settings

for name in [name for name in os.environ if name.startswith("TUTORQ_")]:
    del os.environ[name]  # tests say themselves what is set


@dataclass
class Postgres:
    """The session's server. Its first database is migrated and serves as the template of all others."""

    template: Database
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def new_database(self, home: Path) -> Database:
        """A migrated, empty database, with `home` for files."""
        name = f"test_{next(self._numbers)}"
        server = Database(Settings(home=home, database_url=self._url("postgres")))
        with server.connect(autocommit=True) as connection:
            connection.execute(f"create database {name} template tutorq")
        return Database(
            Settings(home=home, database_url=self._url(name), dagster_database_url=self._url(f"{name}_dagster"))
        )

    def _url(self, name: str) -> str:
        return self.template.url.replace("/tutorq?", f"/{name}?")


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    template = Database(Settings(home=tmp_path_factory.mktemp("postgres")))
    migrate(template)
    yield Postgres(template)
    template.release()


@pytest.fixture
def database(postgres: Postgres, tmp_path: Path) -> Database:
    return postgres.new_database(tmp_path)


@pytest.fixture
def environment(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """The settings of `database` as environment variables, for code that reads them itself."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TUTORQ_HOME", str(tmp_path))
    monkeypatch.setenv("TUTORQ_DATABASE_URL", database.url)
    monkeypatch.setenv("TUTORQ_DAGSTER_DATABASE_URL", database.dagster_url)
    return Settings()
