"""Does a scoring run cost what has changed, or what there is? The same change, on histories of three sizes."""

import json
import os
import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console

from benchmarks import history
from benchmarks.harness import Report, alternate, ratios, run_apart, settings_of
from core import dbt_runner, postgres_urls
from core.database import Database
from core.dbt_internals import warm_up
from core.migrate import migrate
from core.settings import Settings

# What we want on two cores.
LIMIT_SECONDS = 2.0
JOB_LIMIT_SECONDS = 3.5
# What the job `score` leaves to the nightly run.
NIGHTLY = ("tag:matching", "tag:nightly", "score_history")
# Time that connections of this database spent on statements; the statistics of a connection reach it when it ends.
ACTIVE_SECONDS = "select active_time / 1000 from pg_stat_database where datname = current_database()"


@dataclass(frozen=True)
class Size:
    """`per_day` stays the same for all histories: a larger one goes back further.

    The smallest one has 400 days, so that the windows are full in all of them: the longest are 365 days before each of
    the last 30.
    """

    histories: tuple[int, ...]
    per_day: int
    changes: int
    rounds: int = 3
    tutors: int = history.TUTORS


SMALL = Size(histories=(80_000, 160_000, 320_000), per_day=200, changes=1_000)
FULL = Size(histories=(400_000, 1_000_000, 10_000_000), per_day=1_000, changes=10_000)
TINY = replace(SMALL, histories=(200,), per_day=20, changes=20, rounds=1, tutors=10)


def run(size: Size, console: Console, home: Path, database: Database) -> None:
    """Measure scoring runs and print the table."""
    report = Report(
        title="scoring: bring every mart up to date after a change",
        ratio="÷ smallest history",
        sizes=(
            f"{size.changes:,} changed sessions (half new, half corrected) of {size.tutors:,} tutors, "
            f"{size.per_day:,} sessions a day; histories of {', '.join(f'{n:,}' for n in size.histories)} sessions"
        ),
        packages=["dbt-core", "dbt-postgres", "dagster"],
    )
    os.environ["DBT_WRITE_JSON"] = "true"  # which models took longest
    warm_up(dbt_runner.DBT_PROJECT_DIR, dbt_runner.PARSED_PATH)  # as the process that runs are forked from
    runs = {}
    for sessions in size.histories:
        console.print(f"making a history of {sessions:,} sessions …", style="dim", highlight=False)
        runs[f"{sessions:,}"] = ScoringRun(home, database, size, sessions)
    figures = alternate({name: scoring.measure for name, scoring in runs.items()}, size.rounds)
    smallest, largest = f"{size.histories[0]:,}", f"{size.histories[-1]:,}"
    for part, note in (
        (
            "in all",
            f"`dbt build` in a warm process, as the job `score` does it; limit {LIMIT_SECONDS:g} s",
        ),
        ("SQL", "what its connections spent on statements, added up"),
        ("dbt", "processor time of this process: dbt, its adapter, Python"),
    ):
        for name in runs:
            values = figures[f"{name} {part}"]
            report.add(f"{name} sessions, {part}", values, "s", ratios(values, figures[f"{smallest} {part}"]), note)
            note = ""
    job = runs[largest]
    jobs = alternate({"kept": partial(job.job, "kept"), "anew": partial(job.job, "anew")}, size.rounds)
    name = f"{largest} sessions, the job in Dagster"
    note = f"with its checks and events, in a warm process; beside the next line; limit {JOB_LIMIT_SECONDS:g} s"
    report.add(name, jobs["kept"], "s", ratios(jobs["kept"], jobs["anew"]), note)
    report.add("  connecting for each statement", jobs["anew"], "s", note="as dagster-postgres does by itself")
    for name, scoring in runs.items():
        report.add(f"{name} sessions, first build", [scoring.first_build_seconds], "s")
    rebuild, by_hand = runs[largest].rebuild()
    report.add(f"{largest} sessions, full refresh", [rebuild], "s", note=f"{rebuild / by_hand:.2f} of the next line")
    report.add(f"{largest} sessions, its SQL by hand", [by_hand], "s", note="`create table as` and indexes, one by one")
    report.remarks = [f"slowest models, {name}: {scoring.slowest()}" for name, scoring in runs.items()]
    report.show(console, database)


@dataclass
class _Spent:
    """Seconds from begin to end, of statements, and of this process's processor time."""

    seconds: float = 0.0
    sql: float = 0.0
    cpu: float = 0.0


class ScoringRun:
    """One history in a database of its own, built once."""

    def __init__(self, home: Path, server: Database, size: Size, sessions: int) -> None:
        self._size = size
        self._name = f"{sessions:,}"
        name = f"history_{sessions}"
        self._settings = settings_of(
            home / name,
            database_url=postgres_urls.render({**postgres_urls.parse(server.url), "dbname": name}),
            as_of=history.AS_OF.isoformat(),
        )
        self._settings.home.mkdir()
        self._database = Database(self._settings)
        migrate(self._database)
        with self._database.connect() as connection:
            history.write(connection, sessions=sessions, per_day=size.per_day, tutors=size.tutors)
        self._models: dict[str, list[float]] = {}
        self.first_build_seconds = self._build().seconds

    def measure(self) -> Mapping[str, float]:
        """Seconds of a scoring run after a change: in all, of its SQL, and of dbt's processor time."""
        self._change()
        spent = self._build()
        for result in self._results():
            kind, *_, name = result["unique_id"].split(".")
            if kind == "model":
                self._models.setdefault(name, []).append(result["execution_time"])
        return {
            f"{self._name} in all": spent.seconds,
            f"{self._name} SQL": spent.sql,
            f"{self._name} dbt": spent.cpu,
        }

    def job(self, connections: str) -> Mapping[str, float]:
        """Seconds that Dagster's job takes after a change, with its own checks, once its process has started."""
        self._change()
        return {connections: run_apart(run_job, self._settings, keep=connections == "kept")}

    def rebuild(self) -> tuple[float, float]:
        """Seconds of a full refresh, and of the same SQL without dbt."""
        rebuild = self._build(full_refresh=True).seconds
        return rebuild, self._by_hand()

    def slowest(self, models: int = 4) -> str:
        """The models that took longest, by their medians."""
        medians = {name: statistics.median(seconds) for name, seconds in self._models.items()}
        longest = sorted(medians, key=lambda name: -medians[name])[:models]
        return ", ".join(f"{name} {medians[name]:.2f} s" for name in longest)

    def _change(self) -> None:
        with self._database.connect() as connection:
            history.change(connection, self._size.changes)

    def _build(self, *, full_refresh: bool = False) -> _Spent:
        with self._spent() as spent:
            dbt_runner.build(self._settings, self._database, exclude=NIGHTLY, full_refresh=full_refresh)
        return spent

    @contextmanager
    def _spent(self) -> Iterator[_Spent]:
        spent = _Spent()
        with self._database.connect(autocommit=True) as connection:
            active = _value(connection, ACTIVE_SECONDS)
            started, cpu = time.perf_counter(), time.process_time()
            yield spent
            spent.seconds, spent.cpu = time.perf_counter() - started, time.process_time() - cpu
            while _value(connection, "select count(*) from pg_stat_activity where datname = current_database()") > 1:
                time.sleep(0.05)  # connections that are ending
            connection.execute("select pg_stat_clear_snapshot()")
            spent.sql = _value(connection, ACTIVE_SECONDS) - active

    def _by_hand(self) -> float:
        """Make every table of the run once more in a schema of its own, from the SQL that dbt compiled."""
        nodes = json.loads((dbt_runner.dbt_target_path(self._settings) / "manifest.json").read_text())["nodes"]
        built = [nodes[result["unique_id"]] for result in self._results() if result["unique_id"].startswith("model.")]
        with self._database.connect(autocommit=True) as connection:
            connection.execute("create schema by_hand")
            started = time.perf_counter()
            for node in built:
                if node["config"]["materialized"] == "view":
                    continue
                table = f"by_hand.{node['name']}"
                connection.execute(f"create table {table} as {node['compiled_code']}".encode())
                for columns in _keys(node):
                    connection.execute(f"create index on {table} ({', '.join(columns)})".encode())
            seconds = time.perf_counter() - started
            connection.execute("drop schema by_hand cascade")
        return seconds

    def _results(self) -> list[dict[str, Any]]:
        path = dbt_runner.dbt_target_path(self._settings) / "run_results.json"
        results: list[dict[str, Any]] = json.loads(path.read_text())["results"]
        return results


def _keys(node: dict[str, Any]) -> list[list[str]]:
    """The columns of each index of a model, its primary key among them."""
    constraints = [
        *node["constraints"],
        *({**each, "columns": [name]} for name, column in node["columns"].items() for each in column["constraints"]),
    ]
    keys = [each["columns"] for each in constraints if each["type"] == "primary_key"]
    return keys + [index["columns"] for index in node["config"].get("indexes") or []]


def run_job(settings: Settings, *, keep: bool) -> float:
    """Run Dagster's job `score` in this process, which prints nothing; seconds, without the imports.

    `keep`: with connections that are kept, as in the processes that runs are forked into.
    """
    database = Database(settings)
    database.ensure_databases()
    os.environ.update({**settings.as_environment(), "TUTORQ_DAGSTER_DATABASE_URL": database.dagster_url})

    with (settings.home / "job.log").open("a") as log, redirect_stdout(log), redirect_stderr(log):
        import dagster as dg

        import orchestration.warm  # noqa: F401
        from orchestration.dagster_internals import keep_connections
        from orchestration.definitions import defs
        from orchestration.first_run import prepare_dagster_home

        if keep:
            keep_connections()
        with dg.DagsterInstance.from_config(str(prepare_dagster_home(settings))) as instance:
            job = defs().resolve_job_def("score")
            started = time.perf_counter()
            assert job.execute_in_process(instance=instance).success
            return time.perf_counter() - started


def _value(connection: psycopg.Connection, query: str) -> float:
    (value,) = connection.execute(query.encode()).fetchone() or (0,)
    return float(value)
