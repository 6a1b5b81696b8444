"""How long a posted session takes to be seen in its tutor's score on another connection, and what that costs a post."""

import asyncio
import hashlib
import json
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import psycopg
import uvloop
from rich.console import Console

from benchmarks import history
from benchmarks.harness import Report, Rounds, alternate, ratios, run_apart, settings_of
from benchmarks.ingest import free_port, server
from core import dbt_runner, keys
from core.database import Database
from core.roles import Role
from core.settings import Settings

DAY = f"{history.AS_OF.isoformat()}T20:00:00Z"
# p50 and p99 of the time from the 202 to the score, in milliseconds, by posts a second.
LIMITS = {5: (10, 50), 500: (30, 150)}
GIVE_UP_SECONDS = 10.0
# Reading every score at 500 posts a second would measure the reading.
READS_PER_SECOND = 50
WARM_UP_SECONDS = 8.0
# The server hangs up on those who are silent for five.
IDLE_SECONDS = 2.0
REFRESH = "select marts.refresh_sessions(%s::uuid[])"
# Scores read the concerns that are stored, so these are compared, too.
DIFFERENT = """
select count(*)
from unnest(%(tutors)s) as tutor
where
    (
        select to_jsonb(stored)
            - '{peer_percentile,planned_sessions_7d,harm_sessions,harm_students,case_mix_expected}'::text[]
        from marts.tutor_scores as stored where stored.tutor_id = tutor
    ) is distinct from (select to_jsonb(live) from intermediate.int_tutor_scores as live where live.tutor_id = tutor)
    or (
        select jsonb_agg(to_jsonb(stored) - 'clears_on' order by concern)
        from marts.tutor_concerns as stored where stored.tutor_id = tutor
    ) is distinct from (
        select jsonb_agg(to_jsonb(live) order by concern)
        from intermediate.int_tutor_concerns as live where live.tutor_id = tutor
    )
"""
INTERMEDIATE = ("int_session_facts", "int_tutor_days", "int_pairs")


@dataclass(frozen=True)
class Size:
    """`seconds` of posting per rate and round; tutors have 90 days of sessions."""

    seconds: Mapping[int, float]
    rounds: int = 3
    tutors: int = history.TUTORS
    per_day: int = 5_000
    calls: int = 50


SMALL = Size(seconds={5: 20, 500: 5})
FULL = Size(seconds={5: 60, 500: 20}, rounds=5, calls=200)
TINY = replace(SMALL, seconds={5: 1, 500: 0.2}, rounds=1, tutors=10, per_day=20, calls=2)


@dataclass
class Times:
    """Milliseconds: from post to 202, from there to the score, and from post to score. Scores never seen: `missed`."""

    accepted: list[float] = field(default_factory=list)
    visible: list[float] = field(default_factory=list)
    in_all: list[float] = field(default_factory=list)
    missed: int = 0


def run(size: Size, console: Console, home: Path, database: Database) -> None:
    """Post at all rates, with and without live scores, and print the table."""
    settings = settings_of(
        home, database_url=database.url, as_of=history.AS_OF.isoformat(), api_port=free_port()
    ).model_copy(update={"ingest_rate_per_second": 10_000_000})
    report = Report(
        title="live: from a posted session to its tutor's new score",
        ratio="÷ without live scores",
        sizes=(
            f"{size.tutors:,} tutors, 90 days of {size.per_day:,} sessions; one API process, posts at even times, "
            f"{READS_PER_SECOND} scores a second read on another connection"
        ),
        packages=["fastapi", "uvicorn", "asyncpg"],
    )
    with database.connect() as connection:
        history.write(connection, sessions=90 * size.per_day, per_day=size.per_day, tutors=size.tutors)
        secret = str(keys.create(connection, "benchmark", Role.ADMIN).secret)
    dbt_runner.build(settings, database)
    with server(settings, settings.api_port, "api"):
        post = partial(_post, database, settings, secret, size.tutors)
        contestants = {}
        for rate, seconds in size.seconds.items():
            contestants[f"{rate} on"] = partial(post, f"{rate} on", rate, seconds)
            contestants[f"{rate} off"] = partial(_post_without, post, f"{rate} off", rate, seconds)
        figures = alternate(contestants, size.rounds)
        busy = _post_during_runs(post, database, settings, size)
    for rate in size.seconds:
        _add_lines(report, rate, figures)
    for what in ("p50", "p99"):
        report.add(
            f"5/s during runs: 202 to score, {what}", busy[f"5 busy visible {what}"], "ms", note="dbt on the same cores"
        )
    for sessions in (1, 8, 32, 200):
        report.add(f"the refresh alone, {sessions} sessions", refresh(database, sessions, size.calls), "ms")
    report.remarks = [_compare(database, settings, size)]
    report.show(console, database)


def _add_lines(report: Report, rate: int, figures: Rounds) -> None:
    for at, what in enumerate(("p50", "p99")):
        report.add(
            f"{rate}/s: 202 to score, {what}",
            figures[f"{rate} on visible {what}"],
            "ms",
            note=f"limit {LIMITS[rate][at]} ms; the answer to the read included",
        )
    for what in ("p50", "p99"):
        report.add(f"{rate}/s: post to score, {what}", figures[f"{rate} on in all {what}"], "ms")
        ours, theirs = figures[f"{rate} on accepted {what}"], figures[f"{rate} off accepted {what}"]
        report.add(f"{rate}/s: post to 202, {what}", ours, "ms", ratios(ours, theirs))
    if missed := sum(figures[f"{rate} on missed"]):
        report.add(f"{rate}/s: scores not seen in {GIVE_UP_SECONDS:g} s", [missed], "")


def _post(
    database: Database, settings: Settings, secret: str, tutors: int, name: str, rate: int, seconds: float
) -> Mapping[str, float]:
    """Figures of one round; reads only if the scores are live."""
    with database.connect() as connection:
        (is_live,) = connection.execute("select to_regproc('marts.refresh_sessions') is not null").fetchone() or (
            False,
        )
        counted = dict(
            connection.execute("select tutor_id::text, sessions_7d from marts.tutor_scores").fetchall()
            if is_live
            else ()
        )
    times = run_apart(drive, settings.api_port, secret, tutors, rate, seconds, counted, time.time())
    figures = {f"{name} missed": float(times.missed)}
    for what, values in (("accepted", times.accepted), ("visible", times.visible), ("in all", times.in_all)):
        if values:
            p50, p99 = np.quantile(values, [0.5, 0.99])
            figures |= {f"{name} {what} p50": float(p50), f"{name} {what} p99": float(p99)}
    return figures


def _post_without(post: partial[Mapping[str, float]], name: str, rate: int, seconds: float) -> Mapping[str, float]:
    """The same posts while the function is not there; what they have changed is refreshed afterwards."""
    database: Database = post.args[0]
    with _without_live(database):
        return post(name, rate, seconds)


@contextmanager
def _without_live(database: Database) -> Iterator[None]:
    rename = "alter function marts.{}(uuid[]) rename to {}"
    with database.connect() as connection:
        connection.execute(rename.format("refresh_sessions", "no_refresh").encode())
        (before,) = connection.execute("select clock_timestamp()").fetchone() or (None,)
    try:
        yield
    finally:
        with database.connect() as connection:
            connection.execute(rename.format("no_refresh", "refresh_sessions").encode())
            missed = [row[0] for row in connection.execute(
                "select distinct entity_id from raw.changes where entity = 'session' and changed_at >= %s", [before]
            )]  # fmt: skip
            for first in range(0, len(missed), 64):
                connection.execute(REFRESH, [missed[first : first + 64]])
                connection.commit()


def _post_during_runs(post: partial[Mapping[str, float]], database: Database, settings: Settings, size: Size) -> Rounds:
    """5 posts a second while one dbt run follows the other."""
    stop = threading.Event()

    def keep_running() -> None:
        while not stop.is_set():
            dbt_runner.build(settings, database)

    thread = threading.Thread(target=keep_running)
    thread.start()
    try:
        return alternate({"5 busy": partial(post, "5 busy", 5, size.seconds[5])}, 1)
    finally:
        stop.set()
        thread.join()


def refresh(database: Database, sessions: int, calls: int) -> list[float]:
    """Milliseconds of each call of the function, with its commit, in a warm session."""
    with database.connect(autocommit=True) as connection:
        ids = [row[0] for row in connection.execute("select session_id from raw.sessions order by random() limit 3000")]
        chance = random.Random(1)
        times = []
        for _ in range(calls + 3):
            some = chance.sample(ids, min(sessions, len(ids)))
            started = time.perf_counter()
            connection.execute(REFRESH, [some])
            times.append((time.perf_counter() - started) * 1000)
        return times[3:]


def _compare(database: Database, settings: Settings, size: Size) -> str:
    """Whether all those posts have left what a full refresh makes."""
    with database.connect() as connection:
        tutors = [row[0] for row in connection.execute("select tutor_id from marts.dim_tutors order by tutor_id")]
        different = 0
        for first in range(0, len(tutors), 50):
            (some,) = connection.execute(DIFFERENT, {"tutors": tutors[first : first + 50]}).fetchone() or (0,)
            different += some
        (posted,) = connection.execute("select count(*) - %s from raw.sessions", [90 * size.per_day]).fetchone() or (0,)
        before = _checksums(connection)
    dbt_runner.build(settings, database, full_refresh=True)
    with database.connect() as connection:
        after = _checksums(connection)
    same = "the same" if before == after else "NOT the same"
    return (
        f"after {posted:,} posts: {different} of {size.tutors:,} tutors differ from a rebuild with "
        f"the same priors; a full refresh leaves {same} sessions, tutor-days and pairs"
    )


def _checksums(connection: psycopg.Connection) -> list[object]:
    return [
        connection.execute(f"select sum(hashtextextended(t::text, 0)), count(*) from intermediate.{name} as t".encode())
        .fetchone()
        for name in INTERMEDIATE
    ]  # fmt: skip


def _id(name: str) -> str:
    """The id that the made-up past gives to somebody."""
    return str(uuid.UUID(hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()))


class _Line:
    """A kept-alive connection to the API, for one request at a time."""

    def __init__(self, port: int, secret: str) -> None:
        self._port = port
        self._head = f"Host: 127.0.0.1\r\nX-API-Key: {secret}\r\nContent-Type: application/json\r\n"
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._used_at = 0.0

    async def ask(self, start: str, body: bytes = b"") -> tuple[int, bytes]:
        """Status and body of the answer."""
        if self._streams is None or time.perf_counter() - self._used_at > IDLE_SECONDS:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(f"{start} HTTP/1.1\r\n{self._head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])
        content = await reader.readexactly(length)
        self._used_at = time.perf_counter()
        return int(head[9:12]), content


def drive(
    port: int, secret: str, tutors: int, rate: int, seconds: float, counted: Mapping[str, int], seed: float
) -> Times:
    """Post `rate` sessions a second at even times, whatever the answers take, and look for some in the scores.

    Args:
        counted: sessions of 7 days by tutor, before; empty if nothing is to be looked for.

    Raises:
        RuntimeError: an answer is not as it should be.
    """
    return uvloop.run(_drive(port, secret, tutors, rate, seconds, Counter(counted), random.Random(seed)))


async def _drive(
    port: int, secret: str, tutors: int, rate: int, seconds: float, counted: Counter[str], chance: random.Random
) -> Times:
    free: dict[str, list[_Line]] = {"post": [], "read": []}
    share = min(1.0, READS_PER_SECOND / rate) if counted else 0.0
    times = Times()

    async def ask(kind: str, start: str, body: bytes = b"") -> tuple[int, bytes]:
        line = free[kind].pop() if free[kind] else _Line(port, secret)
        answer = await line.ask(start, body)
        free[kind].append(line)
        return answer

    async def post(times: Times) -> None:
        tutor = _id(f"tutor {chance.randrange(tutors)}")
        session = {
            "session_id": str(uuid.UUID(int=chance.getrandbits(128))),
            "tutor_id": tutor,
            "student_id": _id(f"student {chance.randrange(tutors)}"),
            "scheduled_time": DAY,
            "status": "completed",
            "rating": chance.randrange(4, 21) / 4,
        }
        started = time.perf_counter()
        status, _ = await ask("post", "POST /api/sessions", json.dumps(session).encode())
        accepted = time.perf_counter()
        if status != 202:
            raise RuntimeError(f"a post was answered with {status}")
        times.accepted.append((accepted - started) * 1000)
        counted[tutor] += 1
        wanted = counted[tutor]
        if chance.random() >= share:
            return
        while True:
            status, body = await ask("read", f"GET /api/tutors/{tutor}")
            if status == 200 and json.loads(body)["data"]["sessions_7d"] >= wanted:
                break
            if time.perf_counter() - accepted > GIVE_UP_SECONDS:
                times.missed += 1
                break
            await asyncio.sleep(0.002)
        seen = time.perf_counter()
        times.visible.append((seen - accepted) * 1000)
        times.in_all.append((seen - started) * 1000)

    async def keep_posting(seconds: float, times: Times) -> None:
        begun = time.perf_counter()
        under_way = []
        for number in range(max(1, int(seconds * rate))):
            await asyncio.sleep(begun + number / rate - time.perf_counter())
            under_way.append(asyncio.ensure_future(post(times)))
        await asyncio.gather(*under_way)

    # The API may have found the function missing a moment ago, and looks for it every few seconds only.
    await keep_posting(min(WARM_UP_SECONDS, seconds), Times())
    await keep_posting(seconds, times)
    return times
