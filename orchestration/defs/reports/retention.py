"""Old deliveries, the words of old appeals, and old offers are deleted once a day."""

import dagster as dg

from orchestration.executors import TOGETHER
from orchestration.resources import Platform
from reports.retention import forget_old


@dg.op(
    description="Delete old chat messages, webhooks and offers, and the words of appeals that were settled long ago."
)
def delete_old_words(context: dg.OpExecutionContext, platform: Platform) -> None:
    context.add_output_metadata(forget_old(platform.settings, platform.database).to_dict())


@dg.job(
    executor_def=TOGETHER,
    description="Delete old chat messages, webhooks and offers, and the words of appeals that were settled long ago.",
)
def delete_old_messages() -> None:
    delete_old_words()


@dg.definitions
def defs() -> dg.Definitions:
    return dg.Definitions(
        jobs=[delete_old_messages],
        schedules=[
            dg.ScheduleDefinition(
                name="daily_deletion",
                job=delete_old_messages,
                cron_schedule="50 3 * * *",
                default_status=dg.DefaultScheduleStatus.RUNNING,
                description="At 3:50 every day: delete old deliveries and offers, and the words of old appeals.",
            )
        ],
    )
