"""Old runs are deleted: Dagster keeps them for ever, and a busy installation makes thousands a day of 0.5 MB each."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import psycopg

from core.settings import Settings
from orchestration.defs.ingest.connectors import job_of, known_connectors
from orchestration.executors import TOGETHER
from orchestration.resources import Platform
from orchestration.run_limits import prolong

# Runs of other jobs are few, and Dagster knows by them which days of score_history and which buckets are there.
JOBS = (
    *("load_and_score", "score", "predict_touched", "send_reports", "what_if"),
    *("delete_old_runs", "delete_old_messages", "erase_persons"),
)
ENDED_WELL = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.CANCELED]
ENDED = [*ENDED_WELL, dg.DagsterRunStatus.FAILURE]
FAILURES_KEPT = timedelta(days=30)
# So that a run ends within its time; the next one goes on.
MOST_RUNS = 2_000

# Dagster's own deletion of a run leaves these behind. The newest of each check is its state, so that stays.
DELETE_CHECKS = """
delete from asset_check_executions as old
where
    run_id = any(%s)
    and exists (
        select from asset_check_executions as newer
        where newer.asset_key = old.asset_key and newer.check_name = old.check_name and newer.id > old.id
    )
"""


@dg.op(description="Delete runs that ended long ago, with their events, logs and check results.")
def delete_ended_runs(context: dg.OpExecutionContext, platform: Platform) -> None:
    prolong(context, platform.settings)
    run_ids = list(_old_runs(context.instance, timedelta(days=platform.settings.run_retention_days)))
    with psycopg.connect(platform.database.dagster_url) as connection:
        connection.execute(DELETE_CHECKS, [run_ids])
    for run_id in run_ids:
        context.instance.compute_log_manager.delete_logs(prefix=[run_id])
        context.instance.delete_run(run_id)
    context.add_output_metadata({"runs_deleted": len(run_ids)})


def _old_runs(instance: dg.DagsterInstance, kept: timedelta) -> Iterator[str]:
    """Ids of the runs to be deleted, the oldest of each job first.

    The newest of each job stays: without it an older failure, which is kept for longer, would be the job's last word,
    and be told by an alert.
    """
    now = datetime.now(UTC)
    jobs = (*JOBS, *(job_of(name) for name in known_connectors(Settings())))
    newest = {
        record.dagster_run.run_id
        for job in jobs
        for record in instance.get_run_records(dg.RunsFilter(job_name=job, statuses=ENDED), limit=1)
    }
    for statuses, age in ((ENDED_WELL, kept), ([dg.DagsterRunStatus.FAILURE], max(kept, FAILURES_KEPT))):
        for job in jobs:
            old = dg.RunsFilter(job_name=job, statuses=statuses, updated_before=now - age)
            for record in instance.get_run_records(old, limit=MOST_RUNS // len(jobs), ascending=True):
                if record.dagster_run.run_id not in newest:
                    yield record.dagster_run.run_id


@dg.job(executor_def=TOGETHER, description="Delete the records of runs that ended long ago.")
def delete_old_runs() -> None:
    delete_ended_runs()


@dg.definitions
def defs() -> dg.Definitions:
    return dg.Definitions(
        jobs=[delete_old_runs],
        schedules=[
            dg.ScheduleDefinition(
                name="hourly_deletion",
                job=delete_old_runs,
                cron_schedule="40 * * * *",
                default_status=dg.DefaultScheduleStatus.RUNNING,
                description="Twenty to every hour: delete the records of runs that ended long ago.",
            )
        ],
    )
