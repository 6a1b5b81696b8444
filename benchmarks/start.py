"""How long people wait for what they start: help, a score from a cold shell, and everything up, first and again."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import IO

from rich.console import Console

from benchmarks.harness import Report, alternate, settings_of
from cli.supervisor import free_port
from core.database import Database
from core.settings import PROJECT_ROOT, Settings

PATIENCE_SECONDS = 600
LOOK_EVERY_SECONDS = 0.05


@dataclass(frozen=True)
class Size:
    """How often each command is started; `up` makes an installation anew in each round."""

    rounds: int
    ups: int


SMALL = Size(rounds=5, ups=1)
FULL = Size(rounds=20, ups=5)
TINY = Size(rounds=1, ups=1)

# Name: seconds that we want it to take on two cores, and what it is.
LIMITS = {
    "help": (0.4, "`tutorq --help`"),
    "first score": (6.0, "`tutorq score` of an empty installation: server, tables, views and functions are made"),
    "score": (5.0, "`tutorq score` from a cold shell, its server stopped, nothing changed"),
    "first up": (25.0, "`tutorq up --demo` of an empty installation, until the API says it is well"),
    "up": (6.0, "`tutorq up` again"),
}


def run(size: Size, console: Console, home: Path, database: Database) -> None:
    """Start everything, and print the table."""
    report = Report(
        title="start: from a command to its answer",
        ratio="÷ limit",
        sizes=f"{size.rounds} rounds, and {size.ups} of `up`; the program and its packages are installed",
        packages=["dagster", "dbt-core"],
    )
    installations = iter(range(10**6))

    def new() -> Settings:
        settings = settings_of(home / f"start-{next(installations)}", api_port=free_port())
        settings.home.mkdir()
        return settings.model_copy(update={"dagster_port": free_port()})

    figures = alternate(
        {"help": lambda: _timed("help", lambda: _call(new(), "--help")), "score": lambda: _scores(new())}, size.rounds
    )
    figures |= alternate({"up": lambda: _ups(new())}, size.ups)
    for name, (limit, note) in LIMITS.items():
        report.add(f"{name} (≤ {limit:g} s)", figures[name], "s", [seconds / limit for seconds in figures[name]], note)
        if f"{name} cpu" in figures:
            report.add("  processor time", figures[f"{name} cpu"], "s")
    report.show(console, database)


def _scores(settings: Settings) -> Mapping[str, float]:
    first = _timed("first score", lambda: _call(settings, "score"))
    return {**first, **_timed("score", lambda: _call(settings, "score"))}


def _timed(name: str, call: Callable[[], object]) -> Mapping[str, float]:
    """Seconds, and processor seconds of all processes that have ended."""
    started, before = time.perf_counter(), getrusage(RUSAGE_CHILDREN)
    call()
    after = getrusage(RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {name: time.perf_counter() - started, f"{name} cpu": cpu}


def _call(settings: Settings, *arguments: str) -> None:
    with _started(settings, subprocess.DEVNULL, *arguments) as process:
        if process.wait():
            raise RuntimeError(f"tutorq {' '.join(arguments)} failed")


def _started(settings: Settings, output: int | IO[bytes], *arguments: str) -> "subprocess.Popen[bytes]":
    # A directory without `.env`, and nothing of the shell: settings are what is given here.
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith("TUTORQ_")}
    environment = {**inherited, **settings.as_environment(), "PYTHONPATH": str(PROJECT_ROOT)}
    command = [sys.executable, "-m", "cli.app", *arguments]
    return subprocess.Popen(command, cwd=settings.home, env=environment, stdout=output)


def _ups(settings: Settings) -> Mapping[str, float]:
    """Not the second one before history and predictions are complete, as whoever stops it in between has them made."""
    return {"first up": _up(settings, "--demo", until="predictions are complete"), "up": _up(settings)}


def _up(settings: Settings, *options: str, until: str = "tutorq is up") -> float:
    """Seconds from the command to the first answer that everything is well."""
    log = settings.home / "up.log"
    started = time.perf_counter()
    with log.open("wb") as output, _started(settings, output, "up", *options) as process:
        try:
            _wait_for(lambda: _is_well(settings), process)
            seconds = time.perf_counter() - started
            _wait_for(lambda: until in log.read_text(), process)
        finally:
            process.send_signal(signal.SIGINT)
    return seconds


def _is_well(settings: Settings) -> bool:
    address = f"http://127.0.0.1:{settings.api_port}/api/health"
    with suppress(urllib.error.URLError, OSError), urllib.request.urlopen(address, timeout=2) as answer:
        return bool(answer.status == 200)
    return False


def _wait_for(condition: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("tutorq up did not start")
        time.sleep(LOOK_EVERY_SECONDS)
