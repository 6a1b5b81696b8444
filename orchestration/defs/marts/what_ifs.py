"""Questions of what other settings would have done are answered by a job; a sensor only says when."""

import dagster as dg

from orchestration.backoff import IN_PROGRESS
from orchestration.executors import TOGETHER
from orchestration.policies import DBT_POOL
from orchestration.resources import Platform
from orchestration.run_limits import prolong
from what_if.questions import answer, give_up, waiting


@dg.op(
    description="Make the models of scoring with other settings where nobody sees them, compare, and roll back.",
    pool=DBT_POOL,
)
def answer_question(context: dg.OpExecutionContext, platform: Platform) -> None:
    # What it may take is bounded by itself, and the run before it may take as long.
    prolong(context, platform.settings, days=60)
    question = answer(platform.settings, platform.database)
    context.add_output_metadata({"answered": str(question.what_if_id) if question else "nothing was asked"})


# No retries: whoever asked sees why it failed, and asks again.
@dg.job(executor_def=TOGETHER, description="Answer what other settings of scoring would have done. Changes nothing.")
def what_if() -> None:
    answer_question()


@dg.sensor(
    job=what_if,
    minimum_interval_seconds=2,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for a run when somebody has asked what other settings would have done.",
)
def asked_what_ifs(context: dg.SensorEvaluationContext, platform: Platform) -> dg.RunRequest | dg.SkipReason:
    """A sensor and no launch by the API, so that a question waits for a Dagster that is away. A question gets one run:
    whatever ends it before its answer would end the next one, too."""
    question = waiting(platform.database)
    if question is None:
        return dg.SkipReason("nothing was asked")
    runs = context.instance.get_run_records(dg.RunsFilter(job_name=what_if.name, statuses=IN_PROGRESS), limit=1)
    if runs:
        return dg.SkipReason("a run is in progress")
    of_question = dg.RunsFilter(job_name=what_if.name, created_after=question.asked_at)
    if question.state == "running" or context.instance.get_run_records(of_question, limit=1):
        give_up(platform.database, question)
        return dg.SkipReason("the run that was to answer a question has ended")
    return dg.RunRequest()


@dg.definitions
def defs() -> dg.Definitions:
    return dg.Definitions(jobs=[what_if], sensors=[asked_what_ifs])
