"""What is in the outbox is sent by a job; a sensor only says when."""

from datetime import timedelta

import dagster as dg

from orchestration.backoff import IN_PROGRESS, pause_after_failures
from orchestration.executors import TOGETHER
from orchestration.resources import Platform
from reports.sending import send_everything, something_to_do


@dg.op(description="Send the mail, chat messages and webhooks that are due; what is left is sent by the next run.")
def send_due_mail(context: dg.OpExecutionContext, platform: Platform) -> None:
    sent = send_everything(platform.settings, platform.database)
    if sent.mail.busy:
        context.log.info("Another sender is at work.")
    context.add_output_metadata(sent.to_dict())


# No retries: the outbox knows which mail may be tried again, and when.
@dg.job(executor_def=TOGETHER, description="Send the mail, chat messages and webhooks that are due.")
def send_reports() -> None:
    send_due_mail()


@dg.sensor(
    job=send_reports,
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for a run when something is due to be sent. Sends nothing itself.",
)
def outbox(context: dg.SensorEvaluationContext, platform: Platform) -> dg.RunRequest | dg.SkipReason:
    if not something_to_do(platform.settings, platform.database):
        return dg.SkipReason("nothing is due")
    runs = context.instance.get_run_records(dg.RunsFilter(job_name=send_reports.name), limit=10)
    if any(record.dagster_run.status in IN_PROGRESS for record in runs):
        return dg.SkipReason("a run is in progress")
    if (pause := pause_after_failures(runs)) > timedelta(0):
        return dg.SkipReason(f"the last runs failed; trying again in {pause.total_seconds():.0f} s")
    return dg.RunRequest()


@dg.definitions
def defs() -> dg.Definitions:
    return dg.Definitions(jobs=[send_reports], sensors=[outbox])
