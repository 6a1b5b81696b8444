"""How long a change takes to be seen by somebody else, with many who listen; and what telling it costs a post."""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import psycopg
import uvloop
from rich.console import Console

from api.events.streams import PER_CALLER
from benchmarks import history
from benchmarks.harness import MIB, Report, alternate, ratios, run_apart, settings_of
from benchmarks.ingest import free_port, server
from benchmarks.live import drive
from core import dbt_runner, keys
from core.database import Database
from core.roles import Role
from core.settings import PROJECT_ROOT

DASHBOARD = PROJECT_ROOT / "dashboards"
TUTOR = "push-tutor"
SETTLE_SECONDS = 2.0
# What telling costs is seen without it: nothing is written, nobody is notified.
UNTOLD = """
create or replace function marts.tell_refreshed (tutors uuid[]) returns void language plpgsql
as $function$ begin end $function$
"""


@dataclass(frozen=True)
class Size:
    """`posts` are seen by the stream, `polled` by asking every 30 seconds, which takes 15 seconds each."""

    posts: int = 100
    polled: int = 8
    streams: int = 1_000
    told: int = 50
    idle_seconds: float = 10
    rates: Mapping[int, float] | None = None
    rounds: int = 3
    tutors: int = 300
    per_day: int = 3_000


SMALL = Size(rates={5: 15, 500: 5})
FULL = Size(rates={5: 60, 500: 20}, rounds=5, polled=20, told=200, idle_seconds=60)
TINY = replace(
    SMALL, posts=2, polled=1, streams=4, told=2, idle_seconds=1, rates={5: 1}, rounds=1, tutors=10, per_day=20
)


def run(size: Size, console: Console, home: Path, database: Database) -> None:
    """Watch posts in a browser and in many streams, and print the table."""
    settings = settings_of(
        home, database_url=database.url, as_of=history.AS_OF.isoformat(), api_port=free_port()
    ).model_copy(update={"ingest_rate_per_second": 10_000_000})
    report = Report(
        title="push: from a post to everybody else's screen",
        ratio="÷ polling, or untold",
        sizes=f"{size.tutors:,} tutors, 90 days of {size.per_day:,} sessions; API, Chromium and clients on these cores",
        packages=["fastapi", "uvicorn", "asyncpg"],
    )
    with database.connect() as connection:
        history.write(connection, sessions=90 * size.per_day, per_day=size.per_day, tutors=size.tutors)
        reader = str(keys.create(connection, "reader", Role.READ).secret)
        sender = str(keys.create(connection, "sender", Role.ADMIN).secret)
        listeners = [
            str(keys.create(connection, f"listener {number}", Role.READ).secret)
            for number in range(-(-size.streams // PER_CALLER))
        ]
    dbt_runner.build(settings, database)
    with server(settings, settings.api_port, "api") as process:
        _screens(report, size, f"http://127.0.0.1:{settings.api_port}", reader, sender)
        _streams(report, size, database, settings.api_port, listeners, process.pid)
        _posts(report, size, database, settings.api_port, sender)
    report.show(console, database)


def _screens(report: Report, size: Size, address: str, reader: str, sender: str) -> None:
    figures = _in_the_browser(address, reader, sender, size)
    told, polled = figures["told"], figures["polled"]
    for name, share in (("p50", 0.5), ("p95", 0.95)):
        ours, theirs = float(np.quantile(told, share)), float(np.quantile(polled, share))
        report.add(
            f"post to another browser's screen, {name}", [ours], "ms", [ours / theirs], f"{len(told)} posts; limit 2 s"
        )
        report.add(f"the same by polling every 30 s, {name}", [theirs], "ms", note=f"{len(polled)} posts")


def _in_the_browser(address: str, reader: str, sender: str, size: Size) -> dict[str, list[float]]:
    command = ["node", "scripts/push.mjs", address, reader, sender, TUTOR, str(size.posts), str(size.polled)]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run(
        command, cwd=DASHBOARD, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    if run.returncode != 0:
        raise RuntimeError(run.stderr)
    figures: dict[str, list[float]] = json.loads(run.stdout)
    return figures


def _streams(report: Report, size: Size, database: Database, port: int, listeners: list[str], pid: int) -> None:
    process = psutil.Process(pid)
    before = process.memory_info().rss
    figures = run_apart(listen, port, listeners, size.streams, size.told, size.idle_seconds, pid, database.url)
    each = (figures["rss"] - before) / size.streams / 1024
    report.add(
        f"{size.streams:,} open streams: memory of the API",
        [figures["rss"] / MIB],
        "MiB",
        [figures["rss"] / before],
        f"{before / MIB:.0f} MiB before, which the ratio is to; {each:.0f} KiB each",
    )
    report.add(f"{size.streams:,} idle streams: CPU of the API", [figures["idle"] * 100], "%", note="of one core")
    for name in ("p50", "p95"):
        report.add(f"commit to {size.streams:,} streams, {name}", [figures[f"one {name}"]], "ms", note="each stream")
        report.add(f"commit to the last of them, {name}", [figures[f"last {name}"]], "ms")


def listen(
    port: int, listeners: list[str], streams: int, told: int, idle_seconds: float, pid: int, url: str
) -> dict[str, float]:
    """Open streams, and commit events one after the other. Milliseconds from each commit to each stream and to the last
    one, the API's resident bytes, and the share of a core that it takes while nothing happens."""
    return uvloop.run(_listen(port, listeners, streams, told, idle_seconds, pid, url))


async def _listen(
    port: int, listeners: list[str], streams: int, told: int, idle_seconds: float, pid: int, url: str
) -> dict[str, float]:
    heard: asyncio.Queue[float] = asyncio.Queue()

    async def stream(secret: str, opened: asyncio.Event) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {secret}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"a stream was answered with {head[9:12].decode()}")
        while line := await reader.readline():
            if line.startswith(b"event: publication.done"):
                heard.put_nowait(time.perf_counter())
            elif line.startswith(b"event: heartbeat"):
                opened.set()

    tasks = []
    for first in range(0, streams, 100):
        opened = [asyncio.Event() for _ in range(first, min(first + 100, streams))]
        tasks += [
            asyncio.ensure_future(stream(listeners[(first + place) // PER_CALLER], event))
            for place, event in enumerate(opened)
        ]
        for event in opened:
            await event.wait()
    process = psutil.Process(pid)
    used = sum(process.cpu_times()[:2])
    await asyncio.sleep(idle_seconds)
    idle = (sum(process.cpu_times()[:2]) - used) / idle_seconds
    each, last = [], []
    connection = psycopg.connect(url, autocommit=True)
    for _ in range(told):
        await asyncio.sleep(SETTLE_SECONDS / 10)
        connection.execute("insert into app.events (kind) values ('publication.done')")
        committed = time.perf_counter()
        times = [(await heard.get() - committed) * 1000 for _ in range(streams)]
        each += times
        last.append(max(times))
    rss = process.memory_info().rss
    connection.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {
        "rss": float(rss),
        "idle": idle,
        "one p50": float(np.quantile(each, 0.5)),
        "one p95": float(np.quantile(each, 0.95)),
        "last p50": statistics.median(last),
        "last p95": float(np.quantile(last, 0.95)),
    }


def _posts(report: Report, size: Size, database: Database, port: int, secret: str) -> None:
    contestants = {}
    for rate, seconds in (size.rates or {}).items():
        contestants[f"{rate} told"] = partial(_post, port, secret, size.tutors, f"{rate} told", rate, seconds)
        contestants[f"{rate} untold"] = partial(_post_untold, database, contestants[f"{rate} told"])
    figures = alternate(contestants, size.rounds)
    for rate in size.rates or {}:
        for what in ("p50", "p99"):
            ours, theirs = figures[f"{rate} told {what}"], figures[f"{rate} untold {what}"]
            report.add(f"{rate}/s: post to 202, {what}", ours, "ms", ratios(ours, theirs), "ratio to a post untold")


def _post(port: int, secret: str, tutors: int, name: str, rate: int, seconds: float) -> Mapping[str, float]:
    times = run_apart(drive, port, secret, tutors, rate, seconds, {}, time.time())
    p50, p99 = np.quantile(times.accepted, [0.5, 0.99])
    return {f"{name} p50": float(p50), f"{name} p99": float(p99)}


def _post_untold(database: Database, post: partial[Mapping[str, float]]) -> Mapping[str, float]:
    with _untold(database):
        return {name.replace("told", "untold"): value for name, value in post().items()}


@contextmanager
def _untold(database: Database) -> Iterator[None]:
    with database.connect() as connection:
        (told,) = connection.execute(
            "select pg_get_functiondef('marts.tell_refreshed(uuid[])'::regprocedure)"
        ).fetchone() or ("",)
        connection.execute(UNTOLD)
    try:
        yield
    finally:
        with database.connect() as connection:
            connection.execute(str(told).encode())
