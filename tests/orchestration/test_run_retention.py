"""Records of old runs go, in the Dagster storage of an installation; what is still of use stays."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import psycopg
import pytest

from core.database import Database
from core.settings import Settings
from orchestration.definitions import defs
from orchestration.defs.run_retention import JOBS, delete_old_runs
from orchestration.first_run import prepare_dagster_home
from orchestration.resources import Platform


@pytest.fixture
def instance(environment: Settings, database: Database) -> Iterator[dg.DagsterInstance]:
    database.ensure_databases()
    with dg.DagsterInstance.from_config(str(prepare_dagster_home(environment))) as instance:
        yield instance


@dg.asset(check_specs=[dg.AssetCheckSpec("is_well", asset="thing")])
def thing() -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    yield dg.MaterializeResult()
    yield dg.AssetCheckResult(passed=True)


@dg.op
def fails() -> None:
    raise RuntimeError("meant to fail")


@dg.job(name="send_reports")
def failing() -> None:
    fails()


@dg.op
def works() -> None:
    pass


@dg.job(name="send_reports")
def working() -> None:
    works()


def age(instance: dg.DagsterInstance, database: Database, days: float) -> None:
    """Make all runs that there are so many days older."""
    then = datetime.now(UTC) - timedelta(days=days)
    with psycopg.connect(database.dagster_url) as connection:
        connection.execute(
            "update runs set update_timestamp = %s where update_timestamp > %s", [then, then + timedelta(hours=1)]
        )


def purge(instance: dg.DagsterInstance) -> int:
    """How many runs were deleted."""
    result = delete_old_runs.execute_in_process(instance=instance, resources={"platform": Platform()})
    (metadata,) = result.filter_events(lambda event: event.event_type_value == "STEP_OUTPUT")
    return int(metadata.step_output_data.metadata["runs_deleted"].value)  # type: ignore[arg-type]


def left(instance: dg.DagsterInstance) -> set[str]:
    return {record.dagster_run.run_id for record in instance.get_run_records()}


def test_old_runs_go_and_the_state_of_checks_stays(instance: dg.DagsterInstance, database: Database) -> None:
    definitions = dg.Definitions(
        assets=[thing],
        jobs=[dg.define_asset_job("score", [thing]), dg.define_asset_job("roll_over", [thing])],
    )

    def run(job: str) -> str:
        return definitions.resolve_job_def(job).execute_in_process(instance=instance).run_id

    old, by_day = run("score"), run("roll_over")
    failed = failing.execute_in_process(instance=instance, raise_on_error=False).run_id
    old_too = run("score")
    age(instance, database, days=4)
    young = run("score")

    assert purge(instance) == 2
    assert left(instance) >= {by_day, failed, young}
    assert left(instance).isdisjoint({old, old_too})
    assert instance.all_logs(old) == []
    with psycopg.connect(database.dagster_url) as connection:
        kept = {run_id for (run_id,) in connection.execute("select run_id from asset_check_executions")}
    assert kept == {by_day, young}

    failing.execute_in_process(instance=instance, raise_on_error=False)
    run("score")
    age(instance, database, days=31)
    assert purge(instance) == 2, "the first failure and the young one"
    assert left(instance).isdisjoint({failed, young})


def test_a_failure_does_not_outlive_the_success_after_it(instance: dg.DagsterInstance, database: Database) -> None:
    """Else an alert would tell of it, days after all was well again."""
    failed = failing.execute_in_process(instance=instance, raise_on_error=False).run_id
    succeeded = working.execute_in_process(instance=instance).run_id
    age(instance, database, days=4)
    assert purge(instance) == 0
    assert left(instance) >= {failed, succeeded}


def test_runs_that_are_many_are_deleted() -> None:
    """All but those of partitions, by which Dagster knows what there is."""
    jobs = {job.name for job in defs().resolve_all_job_defs() if not job.name.startswith("__")}
    assert jobs - set(JOBS) == {"roll_over", "train", "predict"}
