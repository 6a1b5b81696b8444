"""The API as processes: `python -m api`, one or several on a database."""

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from core.settings import PROJECT_ROOT
from tests.api.conftest import Served

START_SECONDS = 180
PATIENCE_SECONDS = 60


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@contextmanager
def started(
    published: Served, log: Path, *, statuses: tuple[int, ...] = (200,), look: str = "health", **settings: str
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The process on a database, when it answers to a `look` with one of the statuses, and its port."""
    port = free_port()
    environment = os.environ | {
        "TUTORQ_HOME": str(log.parent),
        "TUTORQ_DATABASE_URL": published.database.url,
        "TUTORQ_API_PORT": str(port),
        **settings,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "api"], cwd=PROJECT_ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while _status(port, look) not in statuses:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield process, port
    finally:
        process.kill()
        process.wait()


def _status(port: int, look: str) -> int | None:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/api/{look}", timeout=30).status_code
    except httpx2.TransportError:
        return None


@dataclass(frozen=True)
class Several:
    """API processes on one database, each with a client that sends the same key."""

    processes: list[subprocess.Popen[bytes]]
    clients: list[httpx2.Client]

    def any(self) -> httpx2.Client:
        return random.choice(self.clients)

    def metric(self, name: str) -> list[float | None]:
        """The value in each process; `name` with its labels, as it is shown."""
        found = []
        for client in self.clients:
            lines = [line for line in client.get("/metrics").text.splitlines() if line.startswith(f"{name} ")]
            found.append(float(lines[0].split()[-1]) if lines else None)
        return found


@contextmanager
def several(served: Served, folder: Path, count: int = 2, **settings: str) -> Iterator[Several]:
    """So many processes, with the same settings and homes of their own."""
    if not count:
        yield Several([], [])
        return
    home = folder / str(count)
    home.mkdir()
    with (
        several(served, folder, count - 1, **settings) as others,
        started(served, home / "log", look="ready", **settings) as (process, port),
        httpx2.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"X-API-Key": served.key}, timeout=30, verify=False
        ) as client,
    ):
        yield Several([*others.processes, process], [*others.clients, client])


def wait_until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < deadline, "it has not come"
        time.sleep(0.05)
