"""What `benchmarks.compare` measures at two commits: the same small work again and again, in a platform of its own.

`python -m benchmarks.tasks NAME SIZE` prepares the task. Then it measures once for every line that it reads, and writes
one line of JSON: the figures by name. It ends with its input.

All figures are costs: less is better. Processor time is that of the processes that do the work: other work on the
machine hardly changes it.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from benchmarks import history, ingest, live, load, read, scoring
from benchmarks.harness import fresh_platform, run_apart, settings_of
from benchmarks.http_client import Request, ask_times
from core import dbt_runner, keys
from core.database import Database
from core.roles import Role
from core.settings import Settings

Figures = Mapping[str, float]
Measure = Callable[[], Figures]


@dataclass(frozen=True)
class Size:
    """What one measurement does: rows to load, sessions to post, and so on; `sessions` are there before."""

    rows: int
    posts: int
    answers: int
    refreshes: int
    changes: int
    sessions: int
    per_day: int
    tutors: int
    connections: int = 8


SIZES = {
    "small": Size(
        rows=50_000, posts=3_000, answers=1_000, refreshes=50, changes=500, sessions=40_000, per_day=400, tutors=1_000
    ),
    "tiny": Size(rows=500, posts=20, answers=20, refreshes=2, changes=20, sessions=200, per_day=20, tutors=10),
}


@contextmanager
def loading(size: Size, home: Path, database: Database) -> Iterator[Measure]:
    """Load a landing file of new sessions."""
    settings = settings_of(home, database_url=database.url)
    with database.connect() as connection:
        load.add_people(connection, load.TUTORS)
    folder = home / "landing"
    folder.mkdir()
    written = load.Size(sessions=size.rows, students=load.TUTORS, sampled=0)
    run_apart(load.write_sessions, folder / load.SESSIONS_FILE, written)

    def measure() -> Figures:
        load.empty(database, "raw.sessions, raw.changes, raw.loads")
        before = _processor_seconds(_postmaster(database))
        seconds, cpu = run_apart(load_once, settings, folder)
        postgres = _processor_seconds(_postmaster(database)) - before
        return {
            "a row, µs": seconds / size.rows * 1e6,
            "a row, processor of the loader, µs": cpu / size.rows * 1e6,
            "a row, processor of Postgres, µs": postgres / size.rows * 1e6,
        }

    yield measure


@contextmanager
def posting(size: Size, home: Path, database: Database) -> Iterator[Measure]:
    """Post new sessions to the API, each answered after its commit."""
    settings = settings_of(home, database_url=database.url, api_port=ingest.free_port()).model_copy(
        update={"ingest_rate_per_second": 10_000_000}
    )
    with database.connect() as connection:
        headers = {"X-API-Key": str(keys.create(connection, "benchmark", Role.INGEST).secret)}
        ingest.add_people(connection)
    with ingest.server(settings, settings.api_port, "api") as api:

        def post() -> float:
            return run_apart(ingest.post_times, settings.api_port, headers, size.connections, size.posts, time.time())

        yield lambda: _of_the_api("a post", post, size.posts, api.pid, database)


@contextmanager
def reading(size: Size, home: Path, database: Database) -> Iterator[Measure]:
    """Ask the API for a page of tutors, and for an address that does not exist, which is compared with all routes."""
    settings = _published(size, home, database)
    with database.connect() as connection:
        headers = {"X-API-Key": str(keys.create(connection, "benchmark", Role.READ).secret)}
    requests = {
        "a page of 50": Request(read.LIST, headers, 200),
        "no such address": Request("/api/zones", headers, 404),
    }
    with ingest.server(settings, settings.api_port, "api") as api:

        def ask(request: Request) -> float:
            return run_apart(ask_times, settings.api_port, request, size.connections, size.answers)

        def measure() -> Figures:
            page, nothing = (
                _of_the_api(name, partial(ask, request), size.answers, api.pid, database)
                for name, request in requests.items()
            )
            # Postgres is not asked for an address that does not exist.
            return {**page, **{name: cost for name, cost in nothing.items() if "Postgres" not in name}}

        yield measure


@contextmanager
def refreshing(size: Size, home: Path, database: Database) -> Iterator[Measure]:
    """Bring the live scores of eight sessions up to date, as each post does."""
    _published(size, home, database)

    def measure() -> Figures:
        before = _processor_seconds(_postmaster(database))
        times = live.refresh(database, 8, size.refreshes)
        postgres = (_processor_seconds(_postmaster(database)) - before) / len(times)
        return {
            "a refresh of 8 sessions, ms": statistics.median(times),
            "a refresh of 8 sessions, processor of Postgres, ms": postgres * 1e3,
        }

    yield measure


@contextmanager
def scoring_runs(size: Size, home: Path, database: Database) -> Iterator[Measure]:
    """Bring every mart up to date after a change, as the job `score` does."""
    os.environ["DBT_WRITE_JSON"] = "true"  # ScoringRun reads which models took longest
    runs = scoring.ScoringRun(
        home, database, scoring.Size((size.sessions,), size.per_day, size.changes, tutors=size.tutors), size.sessions
    )

    def measure() -> Figures:
        seconds, statements, cpu = runs.measure().values()
        return {"a run, s": seconds, "a run, its statements, s": statements, "a run, processor of dbt, s": cpu}

    yield measure


TASKS: dict[str, Callable[[Size, Path, Database], AbstractContextManager[Measure]]] = {
    "load": loading,
    "ingest": posting,
    "read": reading,
    "live": refreshing,
    "scoring": scoring_runs,
}


def load_once(settings: Settings, folder: Path) -> tuple[float, float]:
    """Load the folder in this process; seconds, and seconds of its processor time."""
    cpu = time.process_time()
    seconds, _ = load.load_sessions(settings, folder)
    return seconds, time.process_time() - cpu


def _published(size: Size, home: Path, database: Database) -> Settings:
    """Marts of a made-up past, and the settings that they were built with."""
    settings = settings_of(
        home, database_url=database.url, as_of=history.AS_OF.isoformat(), api_port=ingest.free_port()
    )
    with database.connect() as connection:
        history.write(connection, sessions=size.sessions, per_day=size.per_day, tutors=size.tutors)
    dbt_runner.build(settings, database)
    return settings


def _of_the_api(what: str, work: Callable[[], float], times: int, api: int, database: Database) -> Figures:
    """Milliseconds for each of `times` requests: as the clock has it, and of both processors."""
    processes = {"the API": psutil.Process(api), "Postgres": _postmaster(database)}
    before = {name: _processor_seconds(process) for name, process in processes.items()}
    seconds = work()
    spent = {name: _processor_seconds(process) - before[name] for name, process in processes.items()}
    return {f"{what}, ms": seconds / times * 1e3} | {
        f"{what}, processor of {name}, ms": cpu / times * 1e3 for name, cpu in spent.items()
    }


def _postmaster(database: Database) -> psutil.Process:
    with database.connect() as connection:
        parent = psutil.Process(connection.info.backend_pid).parent()
    assert parent is not None
    return parent


def _processor_seconds(process: psutil.Process) -> float:
    """Of a process and its children, also of those that have ended."""
    while True:
        children = process.children(recursive=True)
        with suppress(psutil.NoSuchProcess):
            spent = [each.cpu_times() for each in (process, *children)]
            # One that ended meanwhile would be counted twice or not at all.
            if process.children(recursive=True) == children:
                return sum(each.user + each.system + each.children_user + each.children_system for each in spent)


def main(name: str, size: str) -> None:
    """Prepare the task, and measure once for each line of the input."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what others print is no answer
    with fresh_platform() as (home, database), TASKS[name](SIZES[size], home, database) as measure:
        for _ in sys.stdin:
            print(json.dumps(measure()), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
