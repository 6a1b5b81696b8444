"""Workers on a real Valkey: `make workers`, with the extra `workers`, which the gate does without."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from benchmarks.workers import Valkey, Worker, environment
from core import dbt_runner
from core.database import Database, DatabaseRole
from core.settings import Settings
from demo import write_demo
from ingest import load_folder
from orchestration.shared import note_code_version
from tests.conftest import Postgres

# A step starts a process: seconds on a free machine, twenty and more on a busy one.
PATIENCE_SECONDS = 600


def wait_until(is_so: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (answer := is_so()):
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.05)
    return answer


@dataclass
class Installation:
    """A marketplace, and the workers of a test; all end with it."""

    settings: Settings
    database: Database
    valkey: Valkey
    _workers: list[Worker] = field(default_factory=list)

    def start_worker(self, queue: str, *, slots: int = 1) -> Worker:
        worker = Worker(queue, self.settings.home / f"{queue}-{len(self._workers)}.log", slots=slots)
        self._workers.append(worker)
        return worker

    def end(self) -> None:
        for worker in self._workers:
            worker.kill()

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self.database.connect() as connection:
            return connection.execute(query.encode(), list(values)).fetchall()


@pytest.fixture
def installation(postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    database = postgres.new_database(tmp_path)
    database.ensure_databases()
    write_demo(tmp_path / "demo", tutors=20, students=60, days=120, seed=3)
    load_folder(database.as_role(DatabaseRole.INGEST), tmp_path / "demo", timezone="UTC")
    dbt_runner.build(Settings(home=tmp_path, database_url=database.url), database)
    note_code_version(database.as_role(DatabaseRole.TRANSFORM))
    valkey = Valkey(tmp_path)
    valkey.start()
    monkeypatch.chdir(tmp_path)
    for name, value in environment(Settings(home=tmp_path), database, valkey.url).items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    made = Installation(settings, Database(settings), valkey)
    try:
        yield made
    finally:
        made.end()
        valkey.stop()
