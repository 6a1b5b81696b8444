"""How long the dashboard makes people wait, measured in a browser on a list of thousands of tutors."""

import gzip
import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import history
from benchmarks.harness import Report, settings_of
from benchmarks.ingest import free_port, server
from core import dbt_runner, keys
from core.database import Database
from core.roles import Role
from core.settings import PROJECT_ROOT

DASHBOARD = PROJECT_ROOT / "dashboards"
MANIFEST = DASHBOARD / "dist" / ".vite" / "manifest.json"
FIRST_PAGE = "src/app/today-page.tsx"
CPU_SLOWER = 4
FIGURES = {
    "today": f"Today usable: cold load, CPU {CPU_SLOWER} times slower",
    "overview": f"overview usable: cold load, CPU {CPU_SLOWER} times slower",
    "sort": "sorted list painted, after the API's answer",
    "filter": "filtered list painted, after the API's answer",
    "search": "searched list painted, after the API's answer",
}


@dataclass(frozen=True)
class Size:
    """The list that is looked at, and how often."""

    tutors: int = 5_000
    sessions: int = 100_000
    per_day: int = 1_000
    rounds: int = 5


SMALL = Size()
FULL = Size(sessions=1_000_000, per_day=10_000, rounds=15)
TINY = replace(SMALL, tutors=60, sessions=600, per_day=20, rounds=1)


def run(size: Size, console: Console, home: Path, database: Database) -> None:
    """Build marts of made-up tutors, serve them, let a browser measure, and print the table."""
    settings = settings_of(home, database_url=database.url, as_of=history.AS_OF.isoformat(), api_port=free_port())
    report = Report(
        title="dashboard: what people wait for",
        ratio="",
        sizes=f"{size.tutors:,} tutors; Chromium without a GPU, on the machine that serves it",
        packages=["fastapi", "uvicorn"],
    )
    with database.connect() as connection:
        history.write(connection, sessions=size.sessions, per_day=size.per_day, tutors=size.tutors)
        key = str(keys.create(connection, "benchmark", Role.READ).secret)
    dbt_runner.build(settings, database)
    with server(settings, settings.api_port, "api"):
        figures = _in_the_browser(f"http://127.0.0.1:{settings.api_port}", key, size.rounds)
    for name, what in FIGURES.items():
        report.add(what, figures[name], "ms")
    report.add("JavaScript of the first page, gzipped", [first_page_bytes() / 1000], "kB", note="charts come later")
    report.show(console, database)


def first_page_bytes() -> int:
    """Size of all scripts that must be there before Today is drawn, gzipped each by itself."""
    manifest = json.loads(MANIFEST.read_text())
    files: set[str] = set()
    waiting = ["index.html", FIRST_PAGE]
    while waiting:
        chunk: dict[str, Any] = manifest[waiting.pop()]
        if chunk["file"] not in files:
            files.add(chunk["file"])
            waiting += chunk.get("imports", [])
    return sum(len(gzip.compress((DASHBOARD / "dist" / file).read_bytes())) for file in files)


def _in_the_browser(address: str, key: str, rounds: int) -> dict[str, list[float]]:
    command = ["node", "scripts/measure.mjs", address, key, str(rounds), str(CPU_SLOWER)]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run(
        command, cwd=DASHBOARD, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    if run.returncode != 0:
        raise RuntimeError(run.stderr)
    figures: dict[str, list[float]] = json.loads(run.stdout)
    return figures
