"""What the tests of connectors share: this installation, an application's database, and a run of a connector."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from core.database import Database, DatabaseRole
from core.settings import Settings
from ingest import load_folder
from tests.conftest import Postgres

# As an application has them: its own names, words and a time zone that nobody says.
APPLICATION = """
create table teachers (id bigint primary key, full_name text, mail text);
create table pupils (id bigint primary key, nick text);
create table lessons (
    id bigint primary key, teacher_id bigint, pupil_id bigint, starts_at timestamp, state text, called_off_by text,
    minutes int, private_notes text, updated_at timestamp, deleted_at timestamp
);
insert into teachers values (1, 'Ann', 'ann@example.org');
insert into pupils values (7, 'Kid');
"""


@dataclass
class Installation:
    """Where connectors bring sessions to."""

    settings: Settings
    database: Database

    @property
    def loader(self) -> Database:
        return self.database.as_role(DatabaseRole.INGEST)

    def pull(self, name: str, *, delete_anyway: bool = False) -> Any:
        from connectors.configuration import connector_of
        from connectors.pull.run import pull

        return pull(name, connector_of(self.settings, name), self.settings, self.loader, delete_anyway=delete_anyway)

    def landed(self, name: str) -> list[Path]:
        """Files to be loaded; hidden ones are not complete."""
        found = (self.settings.landing / name).glob("[!.]*")
        return sorted(path for path in found if path.name != "mapping.yml")

    def load(self, name: str) -> None:
        """As the landing directory is loaded; what was loaded goes."""
        if self.landed(name):
            summary = load_folder(self.loader, self.settings.landing / name, timezone="UTC")
            assert not summary.errors, summary.errors
            for path in self.landed(name):
                path.unlink()

    def sync(self, name: str, *, delete_anyway: bool = False) -> Any:
        report = self.pull(name, delete_anyway=delete_anyway)
        self.load(name)
        return report

    def query(self, text: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self.database.connect() as connection:
            return connection.execute(text.encode(), parameters).fetchall()

    def sessions(self) -> dict[str, tuple[Any, ...]]:
        """(status, initiator, scheduled_time) by the id as delivered."""
        rows = self.query("select external_id, status, initiator, scheduled_time from raw.sessions")
        return {row[0]: row[1:] for row in rows}


@pytest.fixture
def installation(environment: Settings, monkeypatch: pytest.MonkeyPatch) -> Installation:
    key = "of these tests"
    monkeypatch.setenv("TUTORQ_ERASURE_KEY", key)
    settings = environment.model_copy(update={"erasure_key": SecretStr(key)})
    return Installation(settings, Database(settings))


@pytest.fixture
def application(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[psycopg.Connection]:
    """An application's database, which is the connector `school`'s."""
    name = f"application_{id(monkeypatch)}"
    with postgres.server.connect(autocommit=True) as connection:
        connection.execute(f"create database {name} template template0".encode())
    url = postgres.url(name)
    monkeypatch.setenv("TUTORQ_CONNECTOR_SCHOOL_KEY", url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(APPLICATION.encode())
        yield connection


@pytest.fixture
def lesson(application: psycopg.Connection) -> Callable[..., None]:
    """Write a lesson of now; `updated` and `starts` are SQL."""

    def write(
        identifier: int, state: str = "done", *, updated: str = "now() at time zone 'UTC'", by: str | None = None,
        starts: str = "date_trunc('hour', now() at time zone 'UTC') - interval '1 day'",
    ) -> None:  # fmt: skip
        application.execute(
            "insert into lessons (id, teacher_id, pupil_id, starts_at, state, called_off_by, minutes, private_notes, "
            f"updated_at) values (%(id)s, 1, 7, {starts}, %(state)s, %(by)s, 60, 'c0nfidential', {updated}) "
            "on conflict (id) do update set (state, called_off_by, updated_at, starts_at) = "
            "(excluded.state, excluded.called_off_by, excluded.updated_at, excluded.starts_at)".encode(),
            {"id": identifier, "state": state, "by": by},
        )

    return write
