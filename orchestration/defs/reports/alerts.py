"""Troubles become alerts in the outbox. Sensors only queue them."""

from collections.abc import Iterator

import dagster as dg

from core.settings import Settings
from orchestration.policies import ASSET_JOB
from orchestration.resources import Platform
from reports.conditions import Condition, observe, report, run_failed

ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
NEWEST_RUNS = 100


@dg.run_failure_sensor(
    name="run_failures",
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Queues an alert when a run has failed and Dagster does not try it again.",
)
def run_failures(context: dg.RunFailureSensorContext, platform: Platform) -> None:
    run = context.dagster_run
    if not _is_retried(run):
        report(platform.settings, platform.database, run_failed(_name(run), run.run_id, _dagster(platform.settings)))


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Queues an alert for each trouble, once while it lasts: old unprocessed changes, mail that does not leave, "
        "growing quarantine, a job whose last run failed."
    ),
)
def troubles(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SkipReason:
    failed = list(_jobs_that_failed(context.instance, platform.settings))
    queued = observe(platform.settings, platform.database, failed)
    return dg.SkipReason(f"{queued} alerts queued")


def _jobs_that_failed(instance: dg.DagsterInstance, settings: Settings) -> Iterator[Condition]:
    """Jobs whose newest ended run failed for good. Found from the runs, so an alert that got lost is made up for."""
    seen: set[str] = set()
    for record in instance.get_run_records(dg.RunsFilter(statuses=ENDED), limit=NEWEST_RUNS):
        run = record.dagster_run
        if (name := _name(run)) in seen:
            continue
        seen.add(name)
        if run.status is dg.DagsterRunStatus.FAILURE and not _is_retried(run):
            yield run_failed(name, run.run_id, _dagster(settings))


def _name(run: dg.DagsterRun) -> str:
    """The job, or what is materialised without one: by hand, or because a condition asked for it."""
    if run.job_name != ASSET_JOB:
        return run.job_name
    return "materialize " + ", ".join(sorted(key.to_user_string() for key in run.asset_selection or ()))


def _is_retried(run: dg.DagsterRun) -> bool:
    return run.tags.get("dagster/will_retry") == "true"


def _dagster(settings: Settings) -> str:
    return f"http://localhost:{settings.dagster_port}"


@dg.definitions
def defs() -> dg.Definitions:
    return dg.Definitions(sensors=[run_failures, troubles])
