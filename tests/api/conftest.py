"""The API on a real server: uvicorn on a free port, on marts that dbt has built."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
import pytest

from api.app import create_app
from api.connections import Limits
from api.drain import DrainingServer
from api.quarantine import sealing
from api.server import server_config
from core import keys, settings_changes
from core.database import Database
from core.roles import Role
from core.settings import Settings
from tests.api.matching import people_template
from tests.conftest import PUBLISHED, Postgres

START_SECONDS = 15
# Tests look into rows in quarantine; those of their sealing do it themselves.
sealing.EVERY_SECONDS = 86_400
ZONE = "Europe/Vienna"
DASHBOARD_ORIGIN = "https://dashboard.example"


@dataclass(frozen=True)
class Served:
    """A running API, its database, and an admin's key for it."""

    database: Database
    settings: Settings
    base_url: str
    key: str

    def client(self, key: str | None) -> httpx2.Client:
        """A client that sends this key, or none."""
        headers = {} if key is None else {"X-API-Key": key}
        # Nothing to verify on plain HTTP, and loading the certificates takes longer than a test.
        return httpx2.Client(base_url=self.base_url, headers=headers, timeout=20, verify=False)


@pytest.fixture(scope="module", autouse=True)
def quick_hashes() -> Iterator[None]:
    """Every start of an API hashes its settings, slowly by intention: a twentieth of the time of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(settings_changes.SCRYPT, "n", 2)
        yield


@pytest.fixture(scope="session")
def published(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The API on published marts; a test that changes them puts them back."""
    home = tmp_path_factory.mktemp("home")
    changes = {
        "cors_origins": [DASHBOARD_ORIGIN],
        # There is none, and it is served for longer than one may take to come.
        "daemon_silent_seconds": 86_400,
        # Tests change marts past those who write them, and so without a new version.
        "answer_memory_mib": 0,
    }
    database = postgres.new_database(home, PUBLISHED)
    database.ensure_databases()
    with served(database, home, **changes) as published:
        yield published


@pytest.fixture(scope="session")
def client(published: Served) -> Iterator[httpx2.Client]:
    """A client with an admin's key, on published marts."""
    with published.client(published.key) as client:
        yield client


@pytest.fixture
def unpublished(postgres: Postgres, tmp_path: Path) -> Iterator[Served]:
    """The API on a migrated database of its own without any marts, and a key that may read."""
    database = postgres.new_database(tmp_path)
    with database.connect() as connection:
        key = keys.create(connection, "test", Role.READ).secret
    assert key is not None
    with served(database, tmp_path) as served_api:
        yield replace(served_api, key=key)


@pytest.fixture(scope="module")
def intake(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The API on a migrated database of its own without marts, for the tests of one file, which write."""
    home = tmp_path_factory.mktemp("intake")
    # Times without an offset are read in this zone. Tests here may send as much as they like.
    with served(postgres.new_database(home), home, timezone=ZONE, ingest_rate_per_second=1_000_000) as intake:
        yield intake


@pytest.fixture(scope="session")
def people(postgres: Postgres) -> str:
    """The template of a database with published marts and people to be matched."""
    return people_template(postgres)


@pytest.fixture(scope="module")
def matching(postgres: Postgres, people: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The API on published marts with people to be matched, for the tests of one file, which change them."""
    home = tmp_path_factory.mktemp("matching")
    with served(postgres.new_database(home, people), home) as matching:
        yield matching


@contextmanager
def served(database: Database, home: Path, limits: Limits | None = None, **changes: object) -> Iterator[Served]:
    """The API on a database, with some settings changed, and an admin's key for it."""
    settings = Settings.model_validate(
        {
            "home": home,
            "database_url": database.url,
            "dagster_database_url": database.dagster_url,
            **changes,
        }
    )
    with database.connect() as connection:
        key = keys.ensure_local_key(connection, settings.api_key_file)
    with serve(settings, limits) as base_url:
        yield Served(database, settings, base_url, key)


@contextmanager
def serve(settings: Settings, limits: Limits | None = None) -> Iterator[str]:
    """Run the API in a thread, as the process does; yields its base URL."""
    # Lines of requests would come after their test has ended, and stand between the results.
    quiet = settings.model_copy(update={"log_level": "warning"})
    config = server_config(create_app(quiet), quiet, limits, port=0, log_config=None, timeout_graceful_shutdown=5)
    server = DrainingServer(config, quiet.drain_seconds)
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        assert thread.is_alive(), "the API did not start"
        assert time.monotonic() < deadline, "the API did not start in time"
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
