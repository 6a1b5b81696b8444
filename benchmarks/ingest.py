"""How many posted sessions a second are durably stored, beside a commit per request (ingest_twin.py), asyncpg alone
with a commit per row, and COPY: before anything is published, and with live scores."""

import asyncio
import json
import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, cast

import psutil
import psycopg
import uvloop
from rich.console import Console

from api.database import open_pool
from benchmarks.harness import Report, Rounds, alternate, ratios, run_apart, settings_of
from benchmarks.http_client import WARM_UP_SHARE, Throughput, repeat, repeat_times
from benchmarks.ingest_twin import UPSERT, Session, values
from core import dbt_runner, keys
from core.database import Database
from core.roles import Role
from core.settings import PROJECT_ROOT, Settings
from ingest.ids import entity_uuid

TUTORS, STUDENTS = 1_000, 20_000
REPEATED_SHARE = 0.05
START = datetime(2026, 1, 31, 12, tzinfo=UTC)
START_SECONDS = 60
COPIED = [name for name in Session.model_fields if name != "session_id"]
# Whether the API still refreshes scores: it pauses for moments only.
AT_WORK = """
select 1 from pg_stat_activity
where application_name = 'tutorq-api' and clock_timestamp() - state_change < interval '0.3 seconds' limit 1
"""


@dataclass(frozen=True)
class Size:
    """`seconds` of posting per contestant, number of clients and round."""

    seconds: float
    clients: tuple[int, ...] = (1, 16, 64)
    rounds: int = 3
    batches: int = 20
    batch_rows: int = 1_000
    # Sessions of 30 days before the first publication, and refreshes of one session that are measured by themselves.
    past: int = 30_000
    refreshes: int = 300


SMALL = Size(seconds=2)
FULL = Size(seconds=10, rounds=5, batches=50)
TINY = replace(SMALL, seconds=0.1, clients=(2,), rounds=1, batches=1, batch_rows=20, past=100, refreshes=3)


def run(size: Size, console: Console, home: Path, database: Database) -> None:
    """Post to all contestants, and print the table."""
    api_port, twin_port = free_port(), free_port()
    settings = settings_of(
        home, database_url=database.url, as_of=START.date().isoformat(), api_port=api_port
    ).model_copy(update={"ingest_rate_per_second": 10_000_000})
    report = Report(
        title="ingest: sessions posted, each answered after its commit",
        ratio="API ÷ this",
        sizes=(
            f"{TUTORS:,} tutors, {STUDENTS:,} students, {REPEATED_SHARE:.0%} repeats; one process each, "
            f"{size.seconds:g} s a round"
        ),
        packages=["fastapi", "uvicorn", "asyncpg", "pydantic", "pyarrow"],
    )
    with database.connect() as connection:
        secret = str(keys.create(connection, "benchmark", Role.INGEST).secret)
        add_people(connection)
    with (
        server(settings, api_port, "api"),
        server(settings, twin_port, "benchmarks.ingest_twin", database.url, str(twin_port)),
    ):
        contestants: dict[str, Callable[[], Mapping[str, float]]] = {}
        for clients in size.clients:
            ask = partial(_post_from, clients, size.seconds, {"X-API-Key": secret})
            contestants |= {
                f"{clients} api": partial(ask, "api", api_port),
                f"{clients} twin": partial(ask, "twin", twin_port),
                f"{clients} bare": partial(_insert_from, clients, size.seconds, database.url),
            }
        contestants["batch api"] = partial(_post_batches, size, api_port, secret)
        contestants["batch copy"] = partial(_copy_batches, size, database)
        figures = alternate(contestants, size.rounds)
    with database.connect() as connection:
        _copy(connection, [_row(session) for session in _distinct(size.past)])
    dbt_runner.build(settings, database)
    # A new process, because the first one has found that there is nothing to refresh.
    with server(settings, api_port, "api") as api, database.connect(autocommit=True) as connection:
        contestants = {}
        for clients in size.clients:
            post = partial(_post_from, clients, size.seconds, {"X-API-Key": secret}, "live", api_port)
            contestants |= {
                f"{clients} live": partial(_with_cpu, post, f"{clients} live", size.seconds, api.pid, connection),
                f"{clients} bare": partial(_insert_from, clients, size.seconds, database.url),
            }
        live = alternate(contestants, size.rounds)
        refresh = _refresh_cpu(connection, size.refreshes)
    for clients in size.clients:
        _add_lines(report, clients, figures)
        _add_live_lines(report, clients, live)
    report.add("live scores of one session: CPU of Postgres", [refresh], "ms", note="in a transaction of its own")
    ours, copied = figures["batch api"], figures["batch copy"]
    report.add(f"batches of {size.batch_rows:,}: API", ours, "rows/s")
    note = "into raw.sessions itself, with its triggers; no checks, no merge"
    report.add(f"batches of {size.batch_rows:,}: COPY", copied, "rows/s", ratios(ours, copied), note)
    report.show(console, database)


def _add_lines(report: Report, clients: int, figures: Rounds) -> None:
    ours = figures[f"{clients} api"]
    for who, what in (
        ("api", "API"),
        ("twin", "FastAPI twin, a commit per request"),
        ("bare", "asyncpg alone, a commit per row"),
    ):
        name = f"{clients} {who}"
        p50, p99, busy = (median(figures[f"{name} {part}"]) for part in ("p50", "p99", "busy"))
        note = f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, client busy {busy:.0%}"
        compared = () if who == "api" else ratios(ours, figures[name])
        report.add(f"{clients} clients: {what}", figures[name], "/s", compared, note)


def _add_live_lines(report: Report, clients: int, figures: Rounds) -> None:
    ours, bare = figures[f"{clients} live"], figures[f"{clients} bare"]
    p50, p99, api, postgres = (
        median(figures[f"{clients} live {part}"]) for part in ("p50", "p99", "api ms", "postgres ms")
    )
    report.add(
        f"{clients} clients: API, live scores",
        ours,
        "/s",
        ratios(ours, bare),
        f"÷ asyncpg alone; p50 {p50:.1f} ms, p99 {p99:.1f} ms; CPU: API {api:.2f} ms, Postgres {postgres:.2f} ms",
    )


def _with_cpu(
    post: Callable[[], Mapping[str, float]], name: str, seconds: float, api: int, connection: psycopg.Connection
) -> Mapping[str, float]:
    """Figures of posting, with the milliseconds of CPU that a post takes in the API and in Postgres; scores that follow
    are part of it."""
    parts = {"api": psutil.Process(api), "postgres": psutil.Process(connection.info.backend_pid).parent()}
    before = {part: _cpu_seconds(process) for part, process in parts.items()}
    figures = post()
    while connection.execute(AT_WORK).fetchone():
        time.sleep(0.1)
    posts = figures[name] * seconds * (1 + WARM_UP_SHARE)
    cpu = {
        f"{name} {part} ms": (_cpu_seconds(process) - before[part]) * 1000 / posts for part, process in parts.items()
    }
    return {**figures, **cpu}


def _cpu_seconds(process: psutil.Process | None) -> float:
    """Of a process and those that it has started."""
    assert process is not None
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def _refresh_cpu(connection: psycopg.Connection, calls: int) -> float:
    """Milliseconds of CPU of a refresh of one session, in a warm session of the database."""
    chosen = connection.execute("select session_id from raw.sessions order by random() limit %s", [calls]).fetchall()

    def refresh() -> float:
        for row in chosen:
            connection.execute("select marts.refresh_sessions(%s::uuid[])", [[row[0]]])
        return _cpu_seconds(psutil.Process(connection.info.backend_pid))

    return (-refresh() + refresh()) * 1000 / len(chosen)


def add_people(connection: psycopg.Connection) -> None:
    for table, key, prefix, count in (("tutors", "tutor_id", "T", TUTORS), ("students", "student_id", "P", STUDENTS)):
        with connection.cursor().copy(f"copy raw.{table} ({key}, external_id) from stdin".encode()) as copy:
            for at in range(count):
                copy.write_row((entity_uuid(f"{prefix}-{at}"), f"{prefix}-{at}"))


def sessions(seed: object) -> Iterator[dict[str, Any]]:
    """Made-up sessions without end; some come again."""
    rng = random.Random(str(seed))
    recent: list[dict[str, Any]] = []
    number = 0
    while True:
        if recent and rng.random() < REPEATED_SHARE:
            yield rng.choice(recent)
            continue
        number += 1
        at = START - timedelta(minutes=rng.randrange(60 * 24 * 30))
        session = {
            "session_id": f"S-{seed}-{number}",
            "tutor_id": f"T-{rng.randrange(TUTORS)}",
            "student_id": f"P-{rng.randrange(STUDENTS)}",
            "scheduled_time": at.isoformat(),
            "status": rng.choice(("completed", "completed", "completed", "no_show")),
            "subject": "maths",
            "duration_minutes": 60,
            "rating": rng.randint(2, 10) / 2,
            "updated_at": (at + timedelta(hours=1)).isoformat(),
        }
        recent = [*recent[-50:], session]
        yield session


class Poster(asyncio.Protocol):
    """One kept-alive connection that posts one session after the other."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._head = f"POST /api/sessions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{lines}"
        self._transport: asyncio.Transport | None = None
        self._answered: asyncio.Future[int] | None = None
        self._received = b""

    @classmethod
    async def connect(cls, port: int, headers: Mapping[str, str]) -> "Poster":
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(lambda: cls(headers), "127.0.0.1", port))[1]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # No isinstance: uvloop's transports are not derived from asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
        if not end or len(body) < int(length):
            return
        self._received = b""
        assert self._answered is not None
        self._answered.set_result(int(head.split(b" ", 2)[1]))

    def connection_lost(self, error: Exception | None) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(error or ConnectionResetError("the server hung up"))

    def post(self, session: dict[str, Any]) -> asyncio.Future[int]:
        """Send a session; the status of the answer."""
        assert self._transport is not None
        body = json.dumps(session).encode()
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(f"{self._head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        return self._answered


def drive(port: int, headers: Mapping[str, str], clients: int, seconds: float, seed: float) -> Throughput:
    """Post sessions to `http://127.0.0.1:port/api/sessions` from several connections at once.

    Raises:
        RuntimeError: an answer is not 202.
    """

    async def main() -> Throughput:
        return await repeat(await _askers(port, headers, clients, seed), seconds)

    return uvloop.run(main())


def post_times(port: int, headers: Mapping[str, str], clients: int, times: int, seed: float) -> float:
    """Post `times` sessions, as `drive` does; seconds.

    Raises:
        RuntimeError: an answer is not 202.
    """

    async def main() -> float:
        return await repeat_times(await _askers(port, headers, clients, seed), times)

    return uvloop.run(main())


async def _askers(
    port: int, headers: Mapping[str, str], clients: int, seed: float
) -> list[Callable[[], Awaitable[None]]]:
    async def ask(poster: Poster, bodies: Iterator[dict[str, Any]]) -> None:
        status = await poster.post(next(bodies))
        if status != 202:
            raise RuntimeError(f"the answer was {status}")

    return [
        partial(ask, await Poster.connect(port, headers), sessions(f"{seed}-{client}")) for client in range(clients)
    ]


def insert(url: str, clients: int, seconds: float, seed: float) -> Throughput:
    """Upsert one row per transaction on `clients` connections, and do nothing else."""

    async def main() -> Throughput:
        async with open_pool(url, size=clients) as pool:
            bodies = [sessions(f"{seed}-{client}") for client in range(clients)]

            async def ask(rows: Iterator[dict[str, Any]]) -> None:
                session = Session.model_validate(next(rows))
                people = entity_uuid(session.tutor_id), entity_uuid(session.student_id)
                async with pool.acquire() as connection:
                    await connection.execute(UPSERT, *values(session, *people))

            return await repeat([partial(ask, rows) for rows in bodies], seconds)

    return uvloop.run(main())


def _post_from(clients: int, seconds: float, headers: Mapping[str, str], who: str, port: int) -> Mapping[str, float]:
    return _figures(f"{clients} {who}", run_apart(drive, port, headers, clients, seconds, time.time()))


def _insert_from(clients: int, seconds: float, url: str) -> Mapping[str, float]:
    return _figures(f"{clients} bare", run_apart(insert, url, clients, seconds, time.time()))


def _figures(name: str, throughput: Throughput) -> Mapping[str, float]:
    return {
        name: throughput.per_second,
        f"{name} p50": throughput.p50_milliseconds,
        f"{name} p99": throughput.p99_milliseconds,
        f"{name} busy": throughput.busy,
    }


def _distinct(count: int) -> list[dict[str, Any]]:
    source = sessions(time.time())
    seen: dict[str, dict[str, Any]] = {}
    while len(seen) < count:
        session = next(source)
        seen[session["session_id"]] = session
    return list(seen.values())


def _batches(size: Size) -> list[list[dict[str, Any]]]:
    rows = _distinct(size.batches * size.batch_rows)
    return [rows[first : first + size.batch_rows] for first in range(0, len(rows), size.batch_rows)]


def _post_batches(size: Size, port: int, secret: str) -> Mapping[str, float]:
    bodies = [json.dumps(batch).encode() for batch in _batches(size)]
    headers = {"X-API-Key": secret, "Content-Type": "application/json"}
    started = time.perf_counter()
    for body in bodies:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/api/sessions/batch", body, headers)
        with urllib.request.urlopen(request) as answer:
            assert json.load(answer)["queued"] == size.batch_rows
    return {"batch api": size.batches * size.batch_rows / (time.perf_counter() - started)}


def _copy_batches(size: Size, database: Database) -> Mapping[str, float]:
    texts = [[_row(session) for session in batch] for batch in _batches(size)]
    with database.connect() as connection:
        started = time.perf_counter()
        for lines in texts:
            _copy(connection, lines)
        return {"batch copy": size.batches * size.batch_rows / (time.perf_counter() - started)}


def _row(session: Mapping[str, Any]) -> str:
    """A line of COPY."""
    people = {name: str(entity_uuid(session[name])) for name in ("tutor_id", "student_id")}
    row = {**session, **people}
    cells = [str(entity_uuid(session["session_id"])), session["session_id"], *(row[name] for name in COPIED)]
    return "\t".join(map(str, cells))


def _copy(connection: psycopg.Connection, lines: list[str]) -> None:
    statement = f"copy raw.sessions (session_id, external_id, {', '.join(COPIED)}) from stdin"
    with connection.cursor().copy(statement.encode()) as copy:
        copy.write("\n".join(lines).encode())
    connection.commit()


@contextmanager
def server(settings: Settings, port: int, module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m module`, until the block is left."""
    # Nothing of this process's environment, and a directory without `.env`: settings are what is given here.
    environment = {**settings.as_environment(), "PYTHONPATH": str(PROJECT_ROOT)}
    with running([sys.executable, "-m", module, *arguments], settings.home, environment, port) as process:
        yield process


@contextmanager
def running(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], port: int
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that listens on the port, until the block is left."""
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + START_SECONDS
            while not is_open(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{command!r} did not start")
                time.sleep(0.05)
            yield process
        finally:
            process.terminate()


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
