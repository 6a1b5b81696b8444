"""Mail that is due is queued after every publication, every morning and every month."""

import dagster as dg

from core.settings import Settings
from orchestration.conventions import MAX_RUNTIME, OWNER, RETRY_POLICY
from orchestration.resources import Platform
from orchestration.row_counts import table_rows
from reports.due import queue_due


@dg.asset(
    key=["app", "email_reports"],
    deps=[
        ["marts", "publication"],
        ["marts", "score_history"],
        ["marts", "upcoming_sessions"],
        # Named too, because small batches leave out what lies between.
        ["ml", "session_predictions"],
    ],
    group_name="reports",
    kinds={"postgres", "table"},
    owners=[OWNER],
    description="The outbox: one row per mail and person. Materialising it queues what is due, and sends nothing.",
    retry_policy=RETRY_POLICY,
)
def email_reports(platform: Platform) -> dg.MaterializeResult[None]:
    queued = queue_due(platform.settings, platform.database)
    with platform.database.connect() as connection:
        rows = table_rows(connection, "app", "email_reports")
    counts = {f"queued_{kind}": count for kind, count in queued.to_dict().items()}
    return dg.MaterializeResult(metadata={"dagster/row_count": rows, **counts})


queue_reports = dg.define_asset_job(
    "queue_reports",
    selection=dg.AssetSelection.assets(["app", "email_reports"]),
    description="Queue the mail that is due.",
    tags=MAX_RUNTIME,
)


@dg.definitions
def defs() -> dg.Definitions:
    timezone = Settings().timezone
    return dg.Definitions(
        assets=[email_reports],
        jobs=[queue_reports],
        schedules=[
            dg.ScheduleDefinition(
                name="daily_digest",
                job=queue_reports,
                cron_schedule="5 7 * * *",
                execution_timezone=timezone,
                default_status=dg.DefaultScheduleStatus.RUNNING,
                description="Five past seven: tell staff what changed yesterday, if anything did.",
            ),
            dg.ScheduleDefinition(
                name="monthly_snapshots",
                job=queue_reports,
                cron_schedule="5 8 1 * *",
                execution_timezone=timezone,
                default_status=dg.DefaultScheduleStatus.RUNNING,
                description="The first of the month: tell tutors their numbers.",
            ),
        ],
    )
