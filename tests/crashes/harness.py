"""What is killed, what it is held up by until then, and who watches meanwhile."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import md5
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from core.database import Database
from core.settings import Settings
from ingest import load_folder
from tests.marts import Marts

PATIENCE_SECONDS = 300
PAUSE_SECONDS = 0.05
LOADED_SESSIONS = 300

# As text, because these processes cannot import the tests.
BUILD = """
import os
from core.database import Database
from core.settings import Settings
from core import dbt_runner

os.environ.update(environment)
settings = Settings()
dbt_runner.build(settings, Database(settings), **options)
"""

# The same without dbt's tests and files, and with as many models at a time as can be: quicker, and a few are in the
# middle of all models.
MODELS = """
import os
from core.database import Database
from core.settings import Settings
from core import dbt_runner

os.environ.update(environment)
settings = Settings()
few = ["--quiet", "--no-write-json", "--log-level-file=none", "--resource-type=model", "--threads=8"]
database = Database(settings)
told = dbt_runner._build_arguments(settings, dbt_runner._variables(settings, database))
dbt_runner._invoke(database, [*told, *few, *options])
"""

LOAD = """
import os
from pathlib import Path
from core.database import Database
from ingest import load_folder
from core.settings import Settings

os.environ.update(environment)
settings = Settings()
summary = load_folder(Database(settings), Path(folder), timezone=settings.timezone)
raise SystemExit(len(summary.errors))
"""


def start(code: str, settings: Settings, **names: Any) -> BaseProcess:
    """A process of its own with the imports behind it, as the code location starts runs."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["dbt.adapters.postgres.impl", "dbt.cli.main", "ingest"])
    process = processes.Process(target=exec, args=(code, {"environment": settings.as_environment(), **names}))
    process.start()
    return process


def kill(process: BaseProcess) -> None:
    """kill -9; what it has asked of Postgres may go on for a while."""
    process.kill()
    process.join()


def join(process: BaseProcess) -> None:
    """It ends well."""
    process.join(PATIENCE_SECONDS)
    assert process.exitcode == 0


@contextmanager
def commits_that_hang(connection: psycopg.Connection) -> Iterator[None]:
    """Meanwhile whoever commits has done so, but is not told: Postgres waits for a standby that there is not."""
    connection.execute("alter system set synchronous_standby_names to nobody")
    connection.execute("select pg_reload_conf()")
    try:
        yield
    finally:
        connection.execute("alter system reset synchronous_standby_names")
        connection.execute("select pg_reload_conf()")


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """The first true answer; the test fails if there is none in time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (answer := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(PAUSE_SECONDS)
    return answer


@dataclass
class Platform:
    """A database of its own on a server that may die, with its settings, and what a test looks for in it."""

    database: Database
    settings: Settings

    @contextmanager
    def connect(self, name: str = "test") -> Iterator[psycopg.Connection]:
        with psycopg.connect(self.database.url, autocommit=True, application_name=name) as connection:
            yield connection

    def start_build(self, **options: Any) -> BaseProcess:
        """`tutorq score`, on its way."""
        return start(BUILD, self.settings, options=options)

    def start_models(self, *options: str) -> BaseProcess:
        return start(MODELS, self.settings, options=options)

    def build(self) -> None:
        """Nothing happens to it."""
        join(self.start_models())

    def load(self, folder: Path) -> None:
        summary = load_folder(self.database, folder, timezone="UTC")
        assert summary.errors == []

    def value(self, query: str) -> Any:
        with self.connect() as connection:
            (value,) = connection.execute(query.encode()).fetchone() or (None,)
        return value

    def waiting(self) -> dict[str, int]:
        """Relations that dbt waits for, each with the process in Postgres that does."""
        with self.connect() as connection:
            rows = connection.execute(
                """
                select pg_class.relname, pg_locks.pid
                from pg_locks
                inner join pg_stat_activity using (pid)
                inner join pg_class on pg_locks.relation = pg_class.oid
                where not pg_locks.granted and pg_stat_activity.application_name = 'dbt'
                    and pg_locks.database = (select oid from pg_database where datname = current_database())
                """
            ).fetchall()
        return dict(rows)

    def is_left_alone(self) -> bool:
        """No connection is left of who was killed."""
        return bool(
            self.value(
                "select count(*) = 0 from pg_stat_activity where datname = current_database()"
                " and backend_type = 'client backend' and application_name not in ('test', 'reader', 'obstacle')"
            )
        )

    def is_settled(self) -> bool:
        """All that has changed is published.

        Between two models a change may be in none of the first and the last of these, but in the queues between them.
        """
        return bool(
            self.value(
                """
                select not exists (
                    select from raw.changes
                    union all select from intermediate.touched_tutor_days
                    union all select from intermediate.touched_pairs
                    union all select from intermediate.unpublished
                )
                """
            )
        )

    def content(self) -> dict[str, list[str]]:
        """All rows of all marts, and how much is still to be done."""
        with self.connect() as connection:
            rows = connection.execute(
                """
                select 'changes: ' || count(*) from raw.changes union all
                select 'tutor-days: ' || count(*) from intermediate.touched_tutor_days union all
                select 'pairs: ' || count(*) from intermediate.touched_pairs union all
                select 'weeks: ' || count(*) from intermediate.touched_weeks union all
                select 'unpublished: ' || count(*) from intermediate.unpublished
                """
            ).fetchall()
            return Marts(connection).content() | {"still to be done": [text for (text,) in rows]}

    def raw(self) -> list[str]:
        """All rows that were loaded, but for when."""
        tables = ("sessions", "tutors", "students", "reschedules", "quarantine")
        ignored = "'created_at' - 'loaded_at' - 'first_seen_at' - 'last_seen_at'"
        query = " union all ".join(f"select (to_jsonb(t) - {ignored})::text from raw.{name} as t" for name in tables)
        with self.connect() as connection:
            return sorted(text for (text,) in connection.execute(query.encode()))


@dataclass
class Reader(threading.Thread):
    """Reads figures of the marts, one after the other, as somebody who knows nothing of runs; keeps what it saw."""

    platform: Platform
    # A server that is killed takes its readers' connections along; nothing else may refuse them.
    may_be_cut: bool = False
    seen: dict[str, set[int | None]] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)
    rounds: int = 0

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self._over = threading.Event()
        self._figures = figures(self.platform)

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        while not self._over.is_set():
            try:
                with self.platform.connect("reader") as connection:
                    while not self._over.is_set():
                        self._look(connection)
            except psycopg.OperationalError as error:
                if not self.may_be_cut:
                    self.troubles.append(f"{error!r}")
                time.sleep(PAUSE_SECONDS)

    def _look(self, connection: psycopg.Connection) -> None:
        for name, query in self._figures.items():
            try:
                (value,) = connection.execute(query.encode()).fetchone() or (None,)
            except psycopg.errors.ProgrammingError as error:  # no such table, say
                self.troubles.append(f"{name}: {error!r}")
            else:
                self.seen.setdefault(name, set()).add(value)
        self.rounds += 1
        time.sleep(PAUSE_SECONDS)

    def stop(self) -> None:
        self._over.set()
        self.join(PATIENCE_SECONDS)
        assert not self.is_alive()


def figures(platform: Platform) -> dict[str, str]:
    """Queries of one number each: what would be another one in a table that is half built, or old and new at once."""
    with platform.connect() as connection:
        names = Marts(connection).names()
    return {
        "rows of raw": "select count(*) from raw.sessions",
        **{f"rows of {name}": f"select count(*) from marts.{name}" for name in names},
        "days of tutor_scores": "select count(distinct as_of) from marts.tutor_scores",
        "sessions in tutor_scores": "select sum(sessions_90d)::bigint from marts.tutor_scores",
        "sessions in tutor_weekly": "select sum(sessions)::bigint from marts.tutor_weekly",
        "sessions in platform_weekly": "select sum(sessions)::bigint from marts.platform_weekly",
        "sessions in platform_baseline": "select sum(sessions_90d)::bigint from marts.platform_baseline",
        "tutors in score_history": "select count(distinct tutor_id) from marts.score_history",
    }


def read(platform: Platform) -> dict[str, int]:
    """The figures at rest."""
    return {name: int(platform.value(query)) for name, query in figures(platform).items()}


@contextmanager
def watched(platform: Platform, *, may_be_cut: bool = False) -> Iterator[Reader]:
    """A reader polls meanwhile; on leaving it has been refused nothing."""
    reader = Reader(platform, may_be_cut)
    reader.start()
    try:
        wait_for(lambda: reader.rounds, "the reader reads")
        yield reader
    finally:
        reader.stop()
    assert reader.troubles == []


def assert_only_whole_states(reader: Reader, *states: dict[str, int]) -> None:
    """Each figure was at every moment what it is in one of these states."""
    legal = {name: {state[name] for state in states} for name in states[0]}
    assert {name: seen - legal[name] for name, seen in reader.seen.items() if seen - legal[name]} == {}


def change(platform: Platform, number: int = 0) -> None:
    """A new tutor with three sessions and a new student. Every change adds as much to every figure as any other."""
    with platform.connect() as connection:
        connection.execute(
            """
            with tutor as (
                insert into raw.tutors (tutor_id, updated_at)
                values (md5('new tutor ' || %(number)s)::uuid, '2024-06-30 00:00+00')
                returning tutor_id
            ),
            student as (
                insert into raw.students (student_id, updated_at)
                values (md5('new student ' || %(number)s)::uuid, '2024-06-30 00:00+00')
                returning student_id
            )
            insert into raw.sessions (session_id, tutor_id, student_id, scheduled_time, status)
            select
                md5(%(number)s || ' new session ' || i)::uuid, tutor_id, student_id,
                '2024-06-15 12:00+00'::timestamptz - i * interval '1 day', 'completed'
            from tutor cross join student cross join generate_series(1, 3) as i
            """,
            {"number": number},
        )


def write_sessions(folder: Path, number: int, *, versions: int = 1) -> Path:
    """A landing folder with one file of sessions, each in so many versions, of which the newest stays."""
    folder.mkdir()
    first = datetime(2024, 6, 1, tzinfo=UTC)
    lines = ["session_id,tutor_id,student_id,scheduled_time,status,rating,updated_at"]
    for version in range(versions):
        updated_at = (first + timedelta(days=20, minutes=version)).isoformat()
        for row in range(LOADED_SESSIONS):
            at = (first + timedelta(minutes=row * 91)).isoformat()
            people = f"{named(f'tutor {1 + row % 29}')},{named(f'student {1 + row % 90}')}"
            lines.append(f"{number}-{row},{people},{at},completed,{1 + (row + version) % 5},{updated_at}")
    (folder / "sessions.csv").write_text("\n".join(lines) + "\n")
    return folder


def named(text: str) -> UUID:
    """The id that DATA gives to a tutor or student."""
    return UUID(md5(text.encode(), usedforsecurity=False).hexdigest())
