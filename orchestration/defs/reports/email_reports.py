"""Mail that is due is queued after every publication, every morning and every month."""

from typing import Any

import dagster as dg

from core.settings import Settings
from orchestration.policies import OWNER, RETRY_POLICY
from orchestration.resources import Platform
from orchestration.row_counts import table_rows
from reports.due import queue_due

EMAIL_REPORTS = dg.AssetKey(["app", "email_reports"])
DIGEST = "5 7 * * *"
SNAPSHOTS = "5 8 1 * *"


def at_the_hours_of_mail(timezone: str) -> dg.AutomationCondition[Any]:
    """What is due by the clock is queued even if nothing was scored; what a publication makes due, its run queues."""
    return (
        (
            # Five past seven: staff are told what changed yesterday.
            dg.AutomationCondition.cron_tick_passed(DIGEST, timezone)
            # The first of the month: tutors are told their numbers.
            | dg.AutomationCondition.cron_tick_passed(SNAPSHOTS, timezone)
        )
        # Once for each hour. Not "since it was updated": a run that began before the hour may end after it.
        .since(dg.AutomationCondition.newly_requested())
        # Not beside a run that queues mail; what it misses is queued right after it.
        & ~dg.AutomationCondition.in_progress()
    ).with_label("at the hours of mail")


def email_reports_asset(timezone: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=EMAIL_REPORTS,
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
        automation_condition=at_the_hours_of_mail(timezone),
    )
    def email_reports(platform: Platform) -> dg.MaterializeResult[None]:
        queued = queue_due(platform.settings, platform.database)
        with platform.database.connect() as connection:
            rows = table_rows(connection, "app", "email_reports")
        counts = {f"queued_{kind}": count for kind, count in queued.to_dict().items()}
        return dg.MaterializeResult(metadata={"dagster/row_count": rows, **counts})

    return email_reports


# A sensor for each kind of run, because they may take different times.
mail_hours = dg.AutomationConditionSensorDefinition(
    "mail_hours",
    target=dg.AssetSelection.assets(EMAIL_REPORTS),
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Five past seven for the digest, and the first of the month for tutors' snapshots: queue what is due.",
)


@dg.definitions
def defs() -> dg.Definitions:
    return dg.Definitions(assets=[email_reports_asset(Settings().timezone)], sensors=[mail_hours])
