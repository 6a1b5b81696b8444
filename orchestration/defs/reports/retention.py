"""What is older than the settings say is deleted once a day."""

import dagster as dg

from orchestration.executors import TOGETHER
from orchestration.resources import Platform
from persons.retention import forget_old

WHAT = (
    "Delete what is older than the settings say: landing files, rows in quarantine, texts of mail, chat messages, "
    "webhooks, words of appeals, offers, entries of the audit log."
)


@dg.op(description=WHAT)
def delete_old_words(context: dg.OpExecutionContext, platform: Platform) -> None:
    context.add_output_metadata(forget_old(platform.settings, platform.database))


@dg.job(executor_def=TOGETHER, description=WHAT)
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
                description="At 3:50 every day: delete what is older than the settings say.",
            )
        ],
    )
