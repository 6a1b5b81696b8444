"""Records of old runs go, in the Dagster storage of an installation; what is still of use stays."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import psycopg
import pytest

from core.database import Database
from core.settings import Settings
from orchestration.defs.run_retention import delete_old_runs
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


def age(instance: dg.DagsterInstance, database: Database, days: float) -> None:
    """Make all runs that there are so many days older."""
    then = datetime.now(UTC) - timedelta(days=days)
    with psycopg.connect(database.dagster_url) as connection:
        connection.execute(
            "update runs set update_timestamp = %s where update_timestamp > %s", [then, then + timedelta(hours=1)]
        )


def test_old_runs_go_and_the_state_of_checks_stays(instance: dg.DagsterInstance, database: Database) -> None:
    definitions = dg.Definitions(
        assets=[thing],
        jobs=[dg.define_asset_job("score", [thing]), dg.define_asset_job("roll_over", [thing])],
    )

    def run(job: str) -> str:
        return definitions.resolve_job_def(job).execute_in_process(instance=instance).run_id

    def purge() -> int:
        result = delete_old_runs.execute_in_process(instance=instance, resources={"platform": Platform()})
        (metadata,) = result.filter_events(lambda event: event.event_type_value == "STEP_OUTPUT")
        return int(metadata.step_output_data.metadata["runs_deleted"].value)  # type: ignore[arg-type]

    old, by_day = run("score"), run("roll_over")
    failed = failing.execute_in_process(instance=instance, raise_on_error=False).run_id
    old_too = run("score")
    age(instance, database, days=4)
    young = run("score")

    assert purge() == 2
    left = {record.dagster_run.run_id for record in instance.get_run_records()}
    assert left >= {by_day, failed, young}
    assert left.isdisjoint({old, old_too})
    assert instance.all_logs(old) == []
    with psycopg.connect(database.dagster_url) as connection:
        kept = {run_id for (run_id,) in connection.execute("select run_id from asset_check_executions")}
    assert kept == {by_day, young}

    age(instance, database, days=31)
    assert purge() == 3, "the failure, the young one, and the first deletion"
