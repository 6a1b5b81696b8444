"""Runs and steps by workers: the rows of one process, though workers are killed and the broker is started again."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from rich.console import Console

from benchmarks import workers
from benchmarks.workers import launch, reconstructable
from core import locks
from core.database import Database, DatabaseRole
from ml.predictions import predict_all
from ml.rules import MatchRules
from orchestration.first_run import prepare_dagster_home
from orchestration.partitions import ALL_BUCKETS
from orchestration.shared import note_code_version
from tests.workers.conftest import Installation, wait_until

pytestmark = pytest.mark.workers

PAIRS = "select student_id, tutor_id, churn_probability from ml.match_predictions order by 1, 2"
VERSION = "select version from ml.prediction_version"
RUN = "select distinct run_id from ml.match_predictions"
# The step of this bucket waits until a test lets go of the lock.
HELD_BUCKET = 7
WAITING = "select from pg_locks where locktype = 'advisory' and not granted and classid = %s and objid = %s"
PARTS = "select count(*) from ml.prediction_parts"


@pytest.fixture
def instance(installation: Installation) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(prepare_dagster_home(installation.settings))) as instance:
        yield instance


def status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def ended(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    wait_until(lambda: status(instance, run_id).value in ("SUCCESS", "FAILURE", "CANCELED"), "the end of the run")
    return status(instance, run_id)


def by_one_process(installation: Installation) -> list[tuple[Any, ...]]:
    database = installation.database.as_role(DatabaseRole.TRANSFORM)
    predict_all(installation.settings, database, MatchRules())
    return installation.rows(PAIRS)


def steps(instance: dg.DagsterInstance, run_id: str) -> dict[str, set[str]]:
    """By step, the workers that have begun it."""
    begun: dict[str, set[str]] = {}
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        data = entry.dagster_event.engine_event_data if entry.dagster_event else None
        worker = data.metadata.get("Celery worker") if data else None
        if worker and entry.step_key:
            begun.setdefault(entry.step_key, set()).add(str(worker.value))
    return begun


def test_a_prediction_by_two_workers(installation: Installation, instance: dg.DagsterInstance) -> None:
    expected, ((version,),) = by_one_process(installation), installation.rows(VERSION)
    installation.start_worker("runs", slots=2)
    for _ in range(2):
        installation.start_worker("steps")
    run_id = launch(instance, "predict", ALL_BUCKETS)
    assert ended(instance, run_id) is dg.DagsterRunStatus.SUCCESS
    assert installation.rows(PAIRS) == expected
    begun = steps(instance, run_id)
    assert {f"ml__match_predictions.predict_bucket[{bucket:02d}]" for bucket in range(16)} <= begun.keys()
    assert len(set.union(*begun.values())) == 2
    # Of the pairs once; sessions and tutors have their own.
    assert installation.rows("select count(*) from ml.prediction_plans where published_at is not null") == [(1,)]
    assert installation.rows(VERSION)[0][0] > version
    # Workers share no files: what steps tell each other goes through none.
    stored = installation.settings.home / "dagster" / "storage" / run_id
    assert [path for path in stored.rglob("*") if path.is_file() and "compute_logs" not in path.parts] == []


@pytest.mark.soak
def test_a_worker_is_killed_and_the_broker_is_started_again(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    expected, run = by_one_process(installation), installation.rows(RUN)
    installation.start_worker("runs", slots=2)
    doomed = installation.start_worker("steps")
    with installation.database.connect(autocommit=True) as holder:
        run_id = launch(instance, "predict", ALL_BUCKETS)
        wait_until(lambda: installation.rows("select from ml.prediction_plans where asked_by = %s", run_id), "the plan")
        # Not before: the plan waits for all buckets, too.
        holder.execute("select pg_advisory_lock(%s, %s)", [locks.PAIRS_BUCKET, HELD_BUCKET])
        waiting = lambda: installation.rows(WAITING, locks.PAIRS_BUCKET, HELD_BUCKET)  # noqa: E731
        wait_until(waiting, "the step of the held bucket")
        # Everything as it was, though some parts are made.
        assert installation.rows(PARTS)[0][0] < 16
        assert installation.rows(RUN) == run
        doomed.kill()
        installation.valkey.stop()
        installation.start_worker("steps")
        installation.start_worker("steps")
        installation.valkey.start()
        # Postgres does not look after who waits: the dead one's connection is there until it is its turn.
        wait_until(lambda: len(waiting()) >= 2, "another worker that has taken the step")
        assert status(instance, run_id) is dg.DagsterRunStatus.STARTED
    assert ended(instance, run_id) is dg.DagsterRunStatus.SUCCESS
    assert installation.rows(PAIRS) == expected
    assert installation.rows("select count(distinct (student_id, tutor_id)) from ml.match_predictions") == [
        (len(expected),)
    ]
    assert len(steps(instance, run_id)[f"ml__match_predictions.predict_bucket[{HELD_BUCKET:02d}]"]) == 2


def test_the_death_of_a_run_is_noticed_and_another_attempt_goes_on(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    expected = by_one_process(installation)
    doomed = installation.start_worker("runs", slots=2)
    installation.start_worker("steps")
    run_id = launch(instance, "predict", ALL_BUCKETS)
    wait_until(lambda: installation.rows(PARTS)[0][0] >= 2, "two parts")

    def health() -> str:
        run = instance.get_run_by_id(run_id)
        assert run is not None
        return str(instance.run_launcher.check_run_worker_health(run).status.value)

    assert health() == "RUNNING"
    doomed.kill()
    wait_until(lambda: health() == "FAILED", "the death of the run's worker")
    # What run monitoring does then, and the retry of runs after it.
    run = instance.get_run_by_id(run_id)
    assert run is not None
    instance.report_run_failed(run, "The worker of this run has died.")
    again = dg.execute_job(
        reconstructable("predict"),
        instance,
        tags=ALL_BUCKETS,
        reexecution_options=dg.ReexecutionOptions.from_failure(run_id, instance),
    )
    assert again.success
    assert installation.rows(PAIRS) == expected
    plans = installation.rows("select asked_by, published_at is not null from ml.prediction_plans")
    assert plans == [(run_id, True)], "the second attempt went on with the plan of the first"


def test_models_are_trained_side_by_side(installation: Installation, instance: dg.DagsterInstance) -> None:
    installation.start_worker("runs", slots=2)
    for _ in range(2):
        installation.start_worker("steps")
    run_id = launch(instance, "train", ALL_BUCKETS)
    assert ended(instance, run_id) is dg.DagsterRunStatus.SUCCESS
    begun = steps(instance, run_id)
    kinds = ("match", "session", "student_no_show", "attrition")
    assert len(set.union(*(begun[f"train_{kind}_model"] for kind in kinds))) == 2
    assert len(installation.rows("select from ml.prediction_buckets")) == 16


def test_other_jobs_are_done_by_one_worker(installation: Installation, instance: dg.DagsterInstance) -> None:
    from orchestration.definitions import defs
    from orchestration.executors import TOGETHER

    spread = {job.name for job in defs().resolve_all_job_defs() if job.executor_def is not TOGETHER}
    assert spread == {"train", "predict", "__ASSET_JOB"}
    installation.start_worker("runs", slots=2)
    assert ended(instance, launch(instance, "score", {})) is dg.DagsterRunStatus.SUCCESS


def test_a_worker_ends_when_the_code_location_has_other_code(installation: Installation) -> None:
    with installation.database.connect() as connection:
        connection.execute("update app.code_location set code_version = '9.9.9+abc'")
    worker = installation.start_worker("steps")
    assert worker.process.wait(timeout=120) == 1
    (log,) = Path(installation.settings.home).glob("steps-*.log")
    assert "the code location is 9.9.9+abc; start both from one version" in log.read_text().replace("\n", " ")


def test_a_worker_with_other_code_gives_its_task_back_and_ends(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    outdated = installation.start_worker("runs", slots=2)
    wait_until(lambda: outdated.is_ready, "the worker")
    with installation.database.connect() as connection:
        connection.execute("update app.code_location set code_version = '9.9.9+abc'")
    run_id = launch(instance, "score", {})
    assert outdated.process.wait(timeout=120) == 0
    assert status(instance, run_id) is dg.DagsterRunStatus.STARTING, "it has not begun"
    note_code_version(installation.database.as_role(DatabaseRole.TRANSFORM))
    installation.start_worker("runs", slots=2)
    assert ended(instance, run_id) is dg.DagsterRunStatus.SUCCESS


@pytest.mark.soak
def test_the_benchmark_prints_its_table(database: Database, tmp_path: Path) -> None:
    text = io.StringIO()
    workers.run(workers.TINY, Console(file=text, width=160), tmp_path, database)
    for line in ("one process, without steps", "1 worker, bucket steps", "2 workers, CPU", "2 workers, overlap"):
        assert line in text.getvalue()
