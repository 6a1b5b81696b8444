"""A scoring run's process is killed at each of its steps: the next run makes up for it, and counts nothing twice."""

import multiprocessing
import time
from collections.abc import Callable
from uuid import uuid4

import dagster as dg
import psycopg
import pytest

from core.database import Database, DatabaseRole
from core.dbt_runner import build
from core.settings import Settings
from demo import write_demo
from ingest import load_folder
from orchestration.defs import automation
from orchestration.resources import Platform
from verify import verify

PATIENCE_SECONDS = 120

# The job as the process of a run has it. As text, because that process cannot import the tests.
RUN = """
import os
import dagster as dg
from orchestration.definitions import defs

os.environ.update(environment)
with dg.instance_for_test() as instance:
    defs().resolve_job_def("score").execute_in_process(instance=instance)
"""

# What the run wants next at the step, and cannot have: it waits there until it is killed.
STEPS = {
    "before it takes the queue": "raw.changes in access exclusive mode",
    "after it has taken the queue": "intermediate.touched_tutor_days in share mode",
    "between two models": "intermediate.int_tutor_days in exclusive mode",
    "before it publishes": "marts.publication in access share mode",
    "after it has published": "app.email_reports in access exclusive mode",
}


@pytest.fixture
def scored(environment: Settings, database: Database, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A small marketplace, scored."""
    write_demo(environment.home / "demo", tutors=10, students=30, days=40, seed=4)
    load_folder(database.as_role(DatabaseRole.INGEST), environment.home / "demo", timezone="UTC")
    build(environment, database)
    monkeypatch.setattr(automation, "WATCH_SECONDS", 0.0)
    return environment


def reason_to_run() -> str | None:
    """What the sensor would ask for a run for."""
    with dg.instance_for_test() as instance:
        answer = automation.new_data(
            dg.build_sensor_context(instance=instance, cursor=None, resources={"platform": Platform()})
        )
    return answer.tags[automation.REASON] if isinstance(answer, dg.RunRequest) else None


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.mark.soak  # the gate kills a run of `tutorq up` (e2e/test_up.py)
def test_killed_at_each_step(scored: Settings, database: Database) -> None:
    # As the code location does: forked from a process that has the imports behind it.
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["orchestration.warm"])
    namespace = {"environment": scored.as_environment()}
    with database.connect(autocommit=True) as watcher:

        def others(condition: str) -> bool:
            (count,) = watcher.execute(
                "select count(*) from pg_stat_activity where datname = current_database() "
                f"and pid <> pg_backend_pid() and backend_type = 'client backend' and {condition}".encode()
            ).fetchone() or (0,)
            return bool(count)

        for step in STEPS:
            tutor = _add_sessions(watcher, 3)
            generation = _generation(watcher)
            with psycopg.connect(database.url) as obstacle:
                obstacle.execute(f"lock table {STEPS[step]}".encode())
                run = processes.Process(target=exec, args=(RUN, namespace))
                run.start()
                wait_for(lambda: others("wait_event_type = 'Lock'"), step)
                run.kill()
                run.join()
            # Postgres notices that nobody listens any more, and rolls back.
            wait_for(lambda: not others("true"), f"connections of the run killed {step}")

            if step == "after it has published":
                assert _generation(watcher) > generation, step
                assert reason_to_run() is None, step
            else:
                assert _generation(watcher) == generation, step
                assert reason_to_run() is not None, step
                build(scored, database)
            (sessions,) = watcher.execute(
                "select sessions_90d from marts.tutor_scores where tutor_id = %s", [tutor]
            ).fetchone() or (None,)
            assert sessions == 3, step
        assert verify(database.as_role(DatabaseRole.TRANSFORM), settings=scored).ok
        incremental = _scores(watcher)
        build(scored, database, full_refresh=True)
        assert _scores(watcher) == incremental


def _add_sessions(connection: psycopg.Connection, count: int) -> str:
    """So many sessions of a new tutor; returns the tutor."""
    tutor, student = str(uuid4()), str(uuid4())
    with connection.transaction():
        connection.execute("insert into raw.tutors (tutor_id) values (%s)", [tutor])
        connection.execute("insert into raw.students (student_id) values (%s)", [student])
        connection.execute(
            "insert into raw.sessions (session_id, tutor_id, student_id, scheduled_time, status) "
            "select gen_random_uuid(), %s, %s, now() - i * interval '1 day', 'completed' from generate_series(1, %s) i",
            [tutor, student, count],
        )
    return tutor


def _generation(connection: psycopg.Connection) -> int:
    (generation,) = connection.execute("select generation from marts.publication").fetchone() or (0,)
    return int(generation)


def _scores(connection: psycopg.Connection) -> list[str]:
    rows = connection.execute("select to_jsonb(t)::text from marts.tutor_scores as t order by tutor_id")
    return [str(row) for (row,) in rows]
