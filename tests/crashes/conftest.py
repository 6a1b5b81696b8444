"""A server that tests may kill, and on it a scored marketplace for each of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from core.database import Database
from core.migrate import migrate
from core.settings import Settings
from tests.crashes.harness import Platform, change
from tests.e2e.processes import EmbeddedServer
from tests.failures import keep_if_a_test_fails
from tests.marts import AS_OF, DATA


@dataclass
class Server:
    """An embedded server with a scored marketplace, which is copied for each test."""

    original: Platform
    process: EmbeddedServer
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _undisturbed: dict[tuple[int, Path | None], Platform] = field(default_factory=dict)

    def copy(self) -> Platform:
        name = f"copy_{next(self._numbers)}"
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f"create database {name} template tutorq".encode())
        settings = self.original.settings.model_copy(update={"database_url": self._url(name)})
        return Platform(Database(settings), settings)

    def undisturbed(self, changes: int = 1, *, loaded: Path | None = None) -> Platform:
        """One with so many changes, perhaps a folder loaded, and one build; nothing happened to it meanwhile."""
        if (changes, loaded) not in self._undisturbed:
            platform = self.copy()
            for number in range(changes):
                change(platform, number)
            if loaded:
                platform.load(loaded)
            platform.build()
            self._undisturbed[changes, loaded] = platform
        return self._undisturbed[changes, loaded]

    def _url(self, name: str) -> str:
        return self.original.database.url.replace("/tutorq?", f"/{name}?")


@contextmanager
def serving(home: Path) -> Iterator[Server]:
    keep_if_a_test_fails(home)
    settings = Settings(home=home, as_of=AS_OF)
    database = Database(settings)
    try:
        migrate(database)
        with database.connect() as connection:
            connection.execute(DATA)
        platform = Platform(database, settings.model_copy(update={"database_url": database.url}))
        platform.build()
        yield Server(platform, EmbeddedServer(database, home))
    finally:
        database.release()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("home")) as server:
        yield server


@pytest.fixture
def platform(server: Server) -> Platform:
    return server.copy()
