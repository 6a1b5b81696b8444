"""What becomes of others while one client attacks the API: how long their `/api/health` takes, and how
much memory the API takes."""

import contextlib
import multiprocessing
import selectors
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from rich.console import Console

from benchmarks import history
from benchmarks.harness import MIB, Report, memory, settings_of
from benchmarks.http_client import Request, pace
from benchmarks.ingest import free_port, server
from core import dbt_runner, keys
from core.database import Database
from core.roles import Role

HEALTH = Request("/api/health", {}, 200)
HEALTH_PER_SECOND = 50
HEALTH_CONNECTIONS = 4
# The attacker has begun before anything is measured.
AHEAD_SECONDS = 0.5
PIECE = 1 << 16
# Bodies that are read, or wait, take 160 MiB at most; the rest is for connections.
MOST_GROWTH = 320 * MIB


@dataclass(frozen=True)
class Size:
    """Each attack lasts for `seconds` a round. `most_milliseconds`: in which 99% of the others must be answered, in
    the median of the rounds."""

    seconds: float = 4
    rounds: int = 3
    header_bytes: int = 200 * MIB
    headers: int = 20_000
    half_open: int = 1_500
    slow_bodies: int = 64
    deep: int = 100_000
    most_milliseconds: float = 200


SMALL = Size()
FULL = replace(SMALL, seconds=15, rounds=5, slow_bodies=200)
# Nothing is said of how fast it is.
TINY = Size(
    rounds=1,
    seconds=1,
    header_bytes=MIB,
    headers=300,
    half_open=20,
    slow_bodies=3,
    deep=1_000,
    most_milliseconds=float("inf"),
)


@dataclass(frozen=True)
class Target:
    """The API, and the key of the attacker."""

    port: int
    secret: str

    def connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.settimeout(30)
        return connection

    def head(self, path: str, length: int) -> bytes:
        """Of a post, without its body."""
        return (
            f"POST {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {self.secret}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        ).encode()


@dataclass(frozen=True)
class Round:
    """How long the others waited, what came of the attack, and what a batch of another key was answered."""

    p99_milliseconds: float
    came: Counter[str]
    batch_status: int


# Attacks until a time, and says what came of it.
Attack = Callable[[Target, Size, float], Counter[str]]


def run(size: Size, console: Console, home: Path, database: Database) -> None:
    """Attack the API in each way, and print the table.

    Raises:
        SystemExit: a limit is broken.
    """
    settings = settings_of(home, database_url=database.url, as_of=history.AS_OF.isoformat(), api_port=free_port())
    report = Report(
        title="abuse: /api/health for others, while one client attacks",
        ratio="",
        sizes=(
            f"each attack lasts {size.seconds:g} s; others ask {HEALTH_PER_SECOND} times a second, timed from then; "
            f"limits: p99 {size.most_milliseconds:g} ms, {MOST_GROWTH // MIB} MiB more memory than at first"
        ),
        packages=["fastapi", "uvicorn", "httptools"],
    )
    with database.connect() as connection:
        history.write(connection, sessions=1_000, per_day=50, tutors=20)
        secret = str(keys.create(connection, "attacker", Role.INGEST).secret)
        other = str(keys.create(connection, "other", Role.INGEST).secret)
    dbt_runner.build(settings, database)
    target = Target(settings.api_port, secret)
    broken = []
    with server(settings, settings.api_port, "api") as process, memory(process.pid) as resident:
        rounds: dict[str, list[Round]] = {what: [] for what in ATTACKS}
        for _ in range(size.rounds):
            for what, attack in ATTACKS.items():
                rounds[what].append(_under(attack, target, size, other))
        for what, found in rounds.items():
            times = [each.p99_milliseconds for each in found]
            came = sum((each.came for each in found), Counter[str]())
            statuses = {each.batch_status for each in found}
            notes = [f"{count:,} x {name}" for name, count in sorted(came.items())]
            notes.append(f"a batch of another key: {', '.join(map(str, statuses))}")
            report.add(what, times, "ms", note=", ".join(notes))
            if (p99 := median(times)) > size.most_milliseconds:
                broken.append(f"{what}: p99 is {p99:.0f} ms")
            if statuses != {200}:
                broken.append(f"{what}: a batch of another key was answered {statuses}")
        if (growth := max(resident) - resident[0]) > MOST_GROWTH:
            broken.append(f"memory grew by {growth / MIB:.0f} MiB")
        report.add("memory of the API", [max(resident) / MIB], "MiB", note=f"at first {resident[0] / MIB:.0f} MiB")
    report.show(console, database)
    if broken:
        raise SystemExit("limits are broken: " + "; ".join(broken))


def _under(attack: Attack, target: Target, size: Size, other: str) -> Round:
    """Attack for a round, and ask as others meanwhile."""
    context = multiprocessing.get_context("spawn")
    both = context.Barrier(2)
    with ProcessPoolExecutor(max_workers=2, mp_context=context, initializer=both.wait) as pool:
        # Both have started, and imported all they need, before the clock does.
        for ready in [pool.submit(nothing, target, size, 0) for _ in range(2)]:
            ready.result()
        until = time.time() + AHEAD_SECONDS + 1.3 * size.seconds
        attacking = pool.submit(attack, target, size, until)
        time.sleep(AHEAD_SECONDS)
        measuring = pool.submit(pace, target.port, [HEALTH], [HEALTH_PER_SECOND], HEALTH_CONNECTIONS, size.seconds)
        time.sleep(size.seconds / 2)
        status = _status_of(replace(target, secret=other), "/api/sessions/batch", b"[]")
        [p99] = measuring.result()
        return Round(p99, attacking.result(), status)


def nothing(_: Target, __: Size, until: float) -> Counter[str]:
    """No attack, to compare with."""
    time.sleep(max(0, until - time.time()))
    return Counter()


def endless_header(target: Target, size: Size, until: float) -> Counter[str]:
    """One header after the other that does not end."""
    came: Counter[str] = Counter()
    while time.time() < until:
        with target.connect() as connection:
            connection.sendall(b"GET /api/health HTTP/1.1\r\nHost: x\r\nX-Long: ")
            sent = 0
            try:
                while sent < size.header_bytes:
                    sent += connection.send(b"a" * PIECE)
                came["taken to the end"] += 1
            except OSError:
                came["cut off"] += 1
    return came


def many_headers(target: Target, size: Size, until: float) -> Counter[str]:
    head = b"GET /api/health HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: 1\r\n" % at for at in range(size.headers))
    came: Counter[str] = Counter()
    while time.time() < until:
        came[_answer(target, head + b"\r\n")] += 1
    return came


def half_open(target: Target, size: Size, until: float) -> Counter[str]:
    """Connections with half a request; what the server closes is opened again."""
    came: Counter[str] = Counter()
    with contextlib.ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())

        def another() -> None:
            connection = stack.enter_context(target.connect())
            connection.sendall(b"GET /api/health HTTP/1.1\r\nX-Half: ")
            selector.register(connection, selectors.EVENT_READ)

        for _ in range(size.half_open):
            another()
            came["opened"] += 1
        while (left := until - time.time()) > 0:
            for key, _ in selector.select(left):
                selector.unregister(key.fileobj)
                came["closed by the server"] += 1
                another()
    return came


def slow_bodies(target: Target, size: Size, until: float) -> Counter[str]:
    """Batches and sessions of one key, a byte at a time."""
    came: Counter[str] = Counter()

    def send(path: str) -> None:
        with target.connect() as connection:
            connection.sendall(target.head(path, 100_000) + b"[")
            connection.settimeout(0.2)
            while time.time() < until:
                try:
                    came[_status(connection.recv(PIECE))] += 1
                    return
                except TimeoutError:
                    connection.sendall(b" ")
        came["still slow"] += 1

    paths = ["/api/sessions/batch", "/api/sessions"] * size.slow_bodies
    threads = [threading.Thread(target=send, args=[path]) for path in paths[: size.slow_bodies]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return came


def deep_json(target: Target, size: Size, until: float) -> Counter[str]:
    """Arrays and objects within each other."""
    came: Counter[str] = Counter()
    while time.time() < until:
        for body in (b"[" * size.deep, b"[" * size.deep + b"]" * size.deep, b'{"a":' * (size.deep // 5)):
            for path in ("/api/sessions", "/api/sessions/batch"):
                came[_answer(target, target.head(path, len(body)) + body)] += 1
    return came


ATTACKS: dict[str, Attack] = {
    "no attack": nothing,
    "headers without an end": endless_header,
    "many headers": many_headers,
    "half-open connections": half_open,
    "slow bodies": slow_bodies,
    "deep JSON": deep_json,
}


def _answer(target: Target, request: bytes) -> str:
    with target.connect() as connection:
        with contextlib.suppress(OSError):
            connection.sendall(request)
        with contextlib.suppress(OSError):
            return _status(connection.recv(PIECE))
    return "cut off"


def _status(answer: bytes) -> str:
    return answer.split(b" ", 2)[1].decode() if answer else "cut off"


def _status_of(target: Target, path: str, body: bytes) -> int:
    answer = _answer(target, target.head(path, len(body)) + body)
    return int(answer) if answer.isdecimal() else 0
