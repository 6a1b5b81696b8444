"""Troubles become alerts in the outbox. Sensors only queue them."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from core.settings import Settings
from orchestration.dagster_internals import failed_checks, stale_assets
from orchestration.defs.ingest.arrivals import ARRIVALS, note_arrivals
from orchestration.policies import ASSET_JOB
from orchestration.resources import Platform
from reports.conditions import observe, report
from reports.troubles import Condition, checks_failed, no_new_data, run_failed, tables_stale

ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
NEWEST_RUNS = 100
# Each file that failed is told by itself.
TOLD_OTHERWISE = {"every_file_could_be_read"}


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
        "growing quarantine, files that failed, lost models, a job whose last run failed, a check of severity ERROR "
        "that fails, tables and data that are too old. Also notes when sessions have arrived."
    ),
)
def troubles(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SkipReason:
    note_arrivals(context.instance, platform)
    found = [*_jobs_that_failed(context.instance, platform.settings)]
    if context.repository_def is not None:
        found += _what_the_graph_shows(context.instance, context.repository_def.asset_graph, platform.settings)
    queued = observe(platform.settings, platform.database, found)
    return dg.SkipReason(f"{queued} alerts queued")


def _what_the_graph_shows(instance: dg.DagsterInstance, graph: Any, settings: Settings) -> Iterator[Condition]:
    """Checks that fail and assets that are stale, of those that are still in the graph."""
    checks = [key for key in graph.asset_check_keys if key.name not in TOLD_OTHERWISE]
    yield from checks_failed(
        [
            (key.asset_key.to_user_string(), key.name, graph.get_check_spec(key).description or "")
            for key in failed_checks(instance, checks)
        ]
    )
    # The daemon evaluates policies; one that holds no longer for historic data leaves its last verdict for a moment.
    stale = stale_assets(instance, [key for key in graph.get_all_asset_keys() if graph.get(key).freshness_policy])
    if ARRIVALS in stale:
        yield no_new_data(settings.silent_data_hours)
    if others := [key.to_user_string() for key in stale if key != ARRIVALS]:
        yield tables_stale(others)


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
