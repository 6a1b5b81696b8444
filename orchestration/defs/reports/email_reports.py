"""Mail that is due is queued after every publication, every morning, every week and every month."""

from functools import reduce
from operator import or_
from typing import Any

import dagster as dg

from core.settings import Settings
from orchestration.policies import OWNER, RETRY_POLICY
from orchestration.resources import Platform
from orchestration.row_counts import table_rows
from reports.due import queue_due
from reports.kinds import KINDS

EMAIL_REPORTS = dg.AssetKey(["app", "email_reports"])


def at_the_hours_of_mail(timezone: str) -> dg.AutomationCondition[Any]:
    """What is due by the clock is queued even if nothing was scored; what a publication makes due, its run queues."""
    hours = [
        dg.AutomationCondition.cron_tick_passed(kind.schedule.cron, timezone)
        for kind in KINDS.values()
        if kind.schedule
    ]
    return (
        reduce(or_, hours)
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
            ["marts", "first_sessions"],
            ["marts", "tutor_attrition"],
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
    description="Queue what is due by the clock: the digest daily, the weekly report on Mondays, snapshots on the 1st.",
)


@dg.definitions
def defs() -> dg.Definitions:
    return dg.Definitions(assets=[email_reports_asset(Settings().timezone)], sensors=[mail_hours])
