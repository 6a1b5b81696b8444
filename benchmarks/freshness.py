"""How long it takes from a dropped file, and from a post, to published marts, under a `tutorq up` of its own; and where
that time goes."""

import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
from rich.console import Console

from benchmarks.harness import Report, Rounds, alternate, settings_of
from cli.supervisor import free_port
from core.database import Database
from core.settings import PROJECT_ROOT, Settings
from demo import write_demo

# What we want on two cores: of nineteen files in twenty, and of posts until their run has published.
LIMIT_SECONDS = {"file": 8.0, "post": 6.0}
FILE_ROWS = 100
START_SECONDS = 600
ROUND_SECONDS = 120
LOOK_EVERY_SECONDS = 0.05

# Ends of the stages of the run that published last: seconds since the epoch, in the order of time.
STAGES = """
select
    extract(epoch from runs.create_timestamp)::float8,
    runs.start_time,
    extract(epoch from min(event_logs.timestamp) filter (where dagster_event_type = 'STEP_START'
        and step_key = 'dbt_models'))::float8,
    runs.end_time
from runs
inner join event_logs on event_logs.run_id = runs.run_id
where runs.pipeline_name in ('score', 'load_and_score')
group by runs.id, runs.create_timestamp, runs.start_time, runs.end_time
order by runs.id desc
limit 1
"""


@dataclass(frozen=True)
class Size:
    """A made-up marketplace, and how often both ways are measured."""

    tutors: int
    students: int
    days: int
    rounds: int


SMALL = Size(tutors=300, students=3_000, days=180, rounds=5)
FULL = replace(SMALL, rounds=30)
TINY = Size(tutors=20, students=60, days=40, rounds=1)


def run(size: Size, console: Console, home: Path, database: Database) -> None:
    """Bring everything up, drop files and post sessions, and print the table."""
    settings = settings_of(home, api_port=free_port()).model_copy(update={"dagster_port": free_port()})
    summary = write_demo(
        settings.landing, timezone="UTC", tutors=size.tutors, students=size.students, days=size.days, seed=1
    )
    report = Report(
        title="freshness: from new rows to published marts",
        ratio="÷ limit",
        sizes=f"{summary.sessions:,} sessions of {size.tutors:,} tutors, scored before; {size.rounds} rounds",
        packages=["dagster", "dbt-core"],
    )
    with _up(settings):
        contestant = Contestant(settings, database)
        figures = alternate({"file": contestant.drop_file, "post": contestant.post}, size.rounds)
    _add_lines(report, "file", f"a dropped file of {FILE_ROWS} rows", figures)
    _add_lines(report, "post", "one posted session", figures)
    report.show(console, database)


def _add_lines(report: Report, way: str, what: str, figures: Rounds) -> None:
    total = figures[way]
    p95 = statistics.quantiles(total, n=20, method="inclusive")[-1] if len(total) > 1 else total[0]
    limit = LIMIT_SECONDS[way]
    report.add(what, total, "s", [seconds / limit for seconds in total], f"p95 {p95:.1f} s; limit {limit:g} s")
    for stage, note in {
        "noticed": "until the sensor has asked for a run"
        + (", 2 s of it until the file counts as settled" * (way == "file")),
        "launched": "queue, and start of its process",
        "loaded": "" if way == "post" else "the file, and checks of the raw tables",
        "built": "dbt, up to publication",
        "run ended": "after publication: last checks, mail queued",
    }.items():
        report.add(f"  {stage}", figures[f"{way} {stage}"], "s", note=note)


class Contestant:
    """Both ways in; each waits until what it brought is published."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._random = random.Random(1)
        with database.connect() as connection:
            self._people = [
                tuple(str(name) for name in row)
                for row in connection.execute("select tutor_id, student_id from raw.sessions limit 1000").fetchall()
            ]

    def drop_file(self) -> Mapping[str, float]:
        rows = [self._session() for _ in range(FILE_ROWS)]
        lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
        text = "\n".join(lines) + "\n"
        path = self._settings.landing / f"sessions.{uuid4()}.csv"
        return self._measure("file", lambda: path.write_text(text), [row["session_id"] for row in rows])

    def post(self) -> Mapping[str, float]:
        row = self._session()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._settings.api_port}/api/sessions",
            json.dumps(row).encode(),
            {"Content-Type": "application/json", "X-API-Key": self._settings.api_key_file.read_text().strip()},
        )
        return self._measure("post", lambda: urllib.request.urlopen(request).close(), [row["session_id"]])

    def _session(self) -> dict[str, str]:
        tutor, student = self._random.choice(self._people)
        moment = datetime.now(UTC) - timedelta(minutes=self._random.randrange(60, 60 * 24 * 30))
        return {
            "session_id": str(uuid4()), "tutor_id": tutor, "student_id": student,
            "scheduled_time": moment.isoformat(timespec="seconds"), "status": "completed",
        }  # fmt: skip

    def _measure(self, way: str, bring: Callable[[], object], session_ids: list[str]) -> Mapping[str, float]:
        time.sleep(self._random.uniform(0, 5))  # wherever in its own rhythm the daemon is
        began = time.time()
        bring()
        _wait_for(lambda: self._is_published(session_ids), ROUND_SECONDS, "publication")
        published = time.time()
        _wait_for(lambda: self._stages()[-1] is not None, ROUND_SECONDS, "the end of the run")
        asked, started, transforming, ended = self._stages()
        return {
            way: published - began,
            f"{way} noticed": asked - began,
            f"{way} launched": started - asked,
            f"{way} loaded": transforming - started,
            f"{way} built": published - transforming,
            f"{way} run ended": ended - published,
        }

    def _is_published(self, session_ids: list[str]) -> bool:
        with self._database.connect() as connection:
            (count, is_pending) = connection.execute(
                """
                select
                    (select count(*) from marts.fct_sessions where session_id = any(%s::uuid[])),
                    -- A posted session is in the marts at once, but its run is still to come.
                    exists (select from raw.changes where entity_id = any(%s::uuid[]))
                    or exists (select from intermediate.unpublished)
                """,
                [session_ids, session_ids],
            ).fetchone() or (0, True)
        return bool(count == len(session_ids) and not is_pending)

    def _stages(self) -> tuple[float, float, float, float]:
        with psycopg.connect(self._database.dagster_url) as connection:
            row = connection.execute(STAGES).fetchone()
        assert row is not None
        asked, started, transforming, ended = row
        return asked, started, transforming, ended


@contextmanager
def _up(settings: Settings) -> Iterator[None]:
    """`tutorq up`, until the block is left."""
    log = settings.home / "up.log"
    # A directory without `.env`: settings are what is given here.
    environment = {**os.environ, **settings.as_environment(), "PYTHONPATH": str(PROJECT_ROOT)}
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-m", "cli.app", "up"],
            cwd=settings.home, env=environment, stdout=output, stderr=output,
        ) as process,
    ):  # fmt: skip
        try:
            _wait_for(
                lambda: "predictions are complete" in log.read_text() or process.poll() is not None,
                START_SECONDS,
                "tutorq up",
            )
            if process.poll() is not None:
                raise RuntimeError(f"tutorq up did not start: {log.read_text()}")
            yield
        finally:
            process.send_signal(signal.SIGINT)


def _wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} did not come within {seconds:.0f} s")
        time.sleep(LOOK_EVERY_SECONDS)
