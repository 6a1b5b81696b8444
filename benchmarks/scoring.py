"""Does a scoring run cost what has changed, or what there is? The same change, on histories of three sizes."""

import json
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from sqlalchemy import make_url

from benchmarks import history
from benchmarks.harness import Report, alternate, ratios, settings_of
from core.database import Database
from core.migrate import migrate
from orchestration import transform


@dataclass(frozen=True)
class Size:
    """`per_day` stays the same for all histories: a larger one goes back further."""

    histories: tuple[int, ...]
    per_day: int
    changes: int
    rounds: int = 3
    tutors: int = history.TUTORS


SMALL = Size(histories=(20_000, 100_000, 300_000), per_day=1_000, changes=1_000)
FULL = Size(histories=(100_000, 1_000_000, 10_000_000), per_day=5_000, changes=10_000)
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
        packages=["dbt-core", "dbt-postgres"],
    )
    runs = {}
    for sessions in size.histories:
        console.print(f"making a history of {sessions:,} sessions …", style="dim", highlight=False)
        runs[f"{sessions:,}"] = _ScoringRun(home, database, size, sessions)
    figures = alternate({name: scoring.measure for name, scoring in runs.items()}, size.rounds)
    smallest = next(iter(runs))
    for part, note in (
        ("in all", "`transform.build` in a warm process: dbt, models, tests"),
        ("models", "sum of the models' times in dbt's run_results; two may run at once"),
        ("tests", "the same of the data tests"),
    ):
        for name in runs:
            values = figures[f"{name} {part}"]
            report.add(f"{name} sessions, {part}", values, "s", ratios(values, figures[f"{smallest} {part}"]), note)
            note = ""
    for name, scoring in runs.items():
        report.add(f"{name} sessions, first build", [scoring.first_build_seconds], "s")
    report.remarks = [f"slowest models, {name}: {scoring.slowest()}" for name, scoring in runs.items()]
    report.show(console, database)


class _ScoringRun:
    """One history in a database of its own, built once."""

    def __init__(self, home: Path, server: Database, size: Size, sessions: int) -> None:
        self._size = size
        self._name = f"{sessions:,}"
        name = f"history_{sessions}"
        self._settings = settings_of(
            home / name,
            database_url=make_url(server.url).set(database=name).render_as_string(hide_password=False),
            as_of=history.AS_OF.isoformat(),
        )
        self._settings.home.mkdir()
        self._database = Database(self._settings)
        migrate(self._database)
        with self._database.connect() as connection:
            history.write(connection, sessions=sessions, per_day=size.per_day, tutors=size.tutors)
        self._models: dict[str, list[float]] = {}
        self.first_build_seconds = self._build()

    def measure(self) -> Mapping[str, float]:
        """Seconds in all, in models and in tests, of a scoring run after a change."""
        with self._database.connect() as connection:
            history.change(connection, self._size.changes)
        seconds = self._build()
        spent = {"model": 0.0, "test": 0.0}
        for result in self._results():
            kind, *_, name = result["unique_id"].split(".")
            if kind in spent:
                spent[kind] += result["execution_time"]
            if kind == "model":
                self._models.setdefault(name, []).append(result["execution_time"])
        return {
            f"{self._name} in all": seconds,
            f"{self._name} models": spent["model"],
            f"{self._name} tests": spent["test"],
        }

    def slowest(self, models: int = 4) -> str:
        """The models that took longest, by their medians."""
        medians = {name: statistics.median(seconds) for name, seconds in self._models.items()}
        longest = sorted(medians, key=lambda name: -medians[name])[:models]
        return ", ".join(f"{name} {medians[name]:.2f} s" for name in longest)

    def _build(self) -> float:
        started = time.perf_counter()
        transform.build(self._settings, self._database)
        return time.perf_counter() - started

    def _results(self) -> list[dict[str, Any]]:
        path = transform.dbt_target_path(self._settings) / "run_results.json"
        results: list[dict[str, Any]] = json.loads(path.read_text())["results"]
        return results
