"""What becomes of a hundred times the usual number of posts for ten seconds: who is answered what, how much memory it
takes, and whether everything is as before when it is over."""

import asyncio
import itertools
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import uvloop
from rich.console import Console

from benchmarks.harness import MIB, Report, memory, run_apart, settings_of
from benchmarks.ingest import Poster, add_people, free_port, server, sessions
from core import keys
from core.database import Database
from core.roles import Role
from core.settings import Settings

ALLOWED = {202, 429, 503}
TICK_SECONDS = 0.005
PAUSE_SECONDS = 1
# What thousands of requests under way take, beside what waits to be written (16 MiB of bodies).
MOST_GROWTH = 256 * MIB


@dataclass(frozen=True)
class Size:
    """`usual` posts a second for `calm` seconds, `factor` times as many for `seconds`, and as before again.

    `connections` bounds how many may wait for an answer at a time: more than the API lets wait (`queue_rows`).
    """

    usual: int = 100
    factor: int = 100
    calm: float = 3
    seconds: float = 10
    connections: int = 6_000
    keys: int = 10
    rate_per_second: int = Settings.model_fields["ingest_rate_per_second"].default
    queue_rows: int = Settings.model_fields["ingest_queue_rows"].default


SMALL = Size()
FULL = replace(SMALL, usual=300)
TINY = Size(usual=20, calm=0.5, seconds=0.5, connections=300, keys=2, rate_per_second=100, queue_rows=20)


@dataclass
class Wave:
    """What came of posting at a rate: answers by status, milliseconds to each 202, and what was acknowledged.

    `unsent`: posts for which no connection was free. `drained`: seconds from the last post to the last answer.
    """

    rate: int
    seconds: float
    statuses: Counter[int] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)
    unsent: int = 0
    drained: float = 0

    @property
    def quantiles(self) -> str:
        p50, p99 = np.quantile(self.milliseconds or [np.nan], [0.5, 0.99])
        return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms"

    @property
    def answers(self) -> str:
        return ", ".join(f"{count:,} x {status}" for status, count in sorted(self.statuses.items()))


def run(size: Size, console: Console, home: Path, database: Database) -> None:
    """Let the wave come with one key, which the rate limit stops, and with many, which it does not; print the table.

    Raises:
        AssertionError: an answer was none of 202, 429 and 503, nothing was stored after the burst, an acknowledged
            session is not stored, or memory grew without a bound.
    """
    settings = settings_of(home, database_url=database.url, api_port=free_port()).model_copy(
        update={"ingest_rate_per_second": size.rate_per_second, "ingest_queue_rows": size.queue_rows}
    )
    report = Report(
        title=f"burst: {size.factor} times {size.usual:,} posts a second, for {size.seconds:g} s",
        ratio="",
        sizes=(
            f"open loop, at most {size.connections:,} posts under way; {size.rate_per_second:,} rows a second per key, "
            f"{size.queue_rows:,} may wait; one API process"
        ),
        packages=["fastapi", "uvicorn", "asyncpg"],
    )
    with database.connect() as connection:
        add_people(connection)
        secrets = [str(keys.create(connection, f"burst {at}", Role.INGEST).secret) for at in range(size.keys)]
    for what, given in ((f"{size.keys} keys", secrets), ("1 key", secrets[:1])):
        with server(settings, settings.api_port, "api") as process, memory(process.pid) as resident:
            waves = run_apart(post, settings.api_port, given, size, time.time())
        for wave in waves:
            note = f"{wave.answers}; {wave.unsent:,} not sent; {wave.quantiles}"
            report.add(f"{what}, {wave.rate:,}/s: stored", [len(wave.acknowledged) / wave.seconds], "/s", note=note)
        report.add(f"{what}: last answer", [waves[1].drained], "s", note="after the last post of the burst")
        note = f"resident, of the API process; at first {resident[0] / MIB:.0f}, at last {resident[-1] / MIB:.0f}"
        report.add(f"{what}: memory at most", [max(resident) / MIB], "MiB", note=note)
        _check(waves, resident, database)
    report.show(console, database)


def _check(waves: Sequence[Wave], resident: Sequence[int], database: Database) -> None:
    others = {status for wave in waves for status in wave.statuses} - ALLOWED
    assert not others, f"there were answers with {others}"
    assert waves[-1].acknowledged, f"after the burst there were {waves[-1].answers}"
    assert max(resident) - resident[0] < MOST_GROWTH, f"memory grew to {max(resident):,} bytes"
    acknowledged = set().union(*(wave.acknowledged for wave in waves))
    with database.connect() as connection:
        stored = {name for (name,) in connection.execute("select external_id from raw.sessions")}
    assert acknowledged <= stored, f"{len(acknowledged - stored)} acknowledged sessions are not stored"


def post(port: int, secrets: Sequence[str], size: Size, seed: float) -> list[Wave]:
    """Post as usual, in a burst, and as usual again, whatever becomes of it, as long as a connection is free."""

    async def main() -> list[Wave]:
        turns = itertools.islice(itertools.cycle(secrets), size.connections)
        free = deque([await Poster.connect(port, {"X-API-Key": secret}) for secret in turns])
        bodies = sessions(seed)
        calm = size.usual, size.calm
        waves = []
        for rate, seconds in (calm, (size.usual * size.factor, size.seconds), calm):
            # A key that has overdrawn pays first.
            await asyncio.sleep(PAUSE_SECONDS)
            waves.append(await _wave(Wave(rate, seconds), free, bodies))
        return waves

    return uvloop.run(main())


async def _wave(wave: Wave, free: deque[Poster], bodies: Iterator[dict[str, Any]]) -> Wave:
    under_way: set[asyncio.Task[None]] = set()

    async def send(poster: Poster, body: dict[str, Any]) -> None:
        sent_at = time.perf_counter()
        status = await poster.post(body)
        wave.statuses[status] += 1
        if status == 202:
            wave.milliseconds.append((time.perf_counter() - sent_at) * 1000)
            wave.acknowledged.add(body["session_id"])
        free.append(poster)

    started = time.perf_counter()
    sent = 0
    while (now := time.perf_counter() - started) < wave.seconds:
        due = int(now * wave.rate) - sent
        sent += due
        wave.unsent += max(0, due - len(free))
        for _ in range(min(due, len(free))):
            task = asyncio.create_task(send(free.popleft(), next(bodies)))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await asyncio.sleep(TICK_SECONDS)
    ended = time.perf_counter()
    await asyncio.gather(*under_way)
    wave.drained = time.perf_counter() - ended
    return wave
