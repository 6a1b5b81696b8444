"""Erasures that were asked for over the API are done by a job; a sensor only says when."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from core.database import Database
from core.errors import TutorqError
from orchestration.backoff import IN_PROGRESS
from orchestration.executors import TOGETHER
from orchestration.policies import DBT_POOL
from orchestration.resources import Platform
from orchestration.run_limits import prolong
from persons.erase import erase
from persons.identity import with_id
from persons.requests import waiting

PATIENCE = timedelta(minutes=10)


@dg.op(description="Erase the people whose erasure was asked for. Says how many, and never whom.", pool=DBT_POOL)
def erase_requested(context: dg.OpExecutionContext, platform: Platform) -> None:
    prolong(context, platform.settings, days=60)
    owner = Database(platform.settings)
    if not owner.has_owner:
        raise TutorqError(
            "this process has no login of the database's owner; run `tutorq person erase --requested --yes` where it is"
        )
    with owner.connect() as connection:
        people = [with_id(connection, *asked) for asked in waiting(connection)]
    left = []
    for identity in people:
        # A file may be called after the person.
        left += [identity.redacted(place) for place in erase(platform.settings, owner, identity, actor="tutorq").left]
    if left:
        raise dg.Failure(
            f"{len(people)} erased, and still named in {', '.join(left)}: remove what names them there, and ask for "
            "the erasure again",
            allow_retries=False,
        )
    context.add_output_metadata({"erased": len(people)})


@dg.job(executor_def=TOGETHER, description="Erase people whose erasure was asked for over the API.")
def erase_persons() -> None:
    erase_requested()


@dg.sensor(
    job=erase_persons,
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for a run when the erasure of somebody waits.",
)
def asked_erasures(context: dg.SensorEvaluationContext, platform: Platform) -> dg.RunRequest | dg.SkipReason:
    """Again and again while one waits, as an erasure that was cut off is completed by the next; after one that failed,
    every ten minutes."""
    with platform.database.connect() as connection:
        if not waiting(connection):
            return dg.SkipReason("nobody is to be erased")
    if not Database(platform.settings).has_owner:
        return dg.SkipReason("`tutorq person erase --requested --yes` is to be run where the database's owner logs in")
    if context.instance.get_run_records(dg.RunsFilter(job_name=erase_persons.name, statuses=IN_PROGRESS), limit=1):
        return dg.SkipReason("a run is in progress")
    failed = dg.RunsFilter(
        job_name=erase_persons.name, statuses=[dg.DagsterRunStatus.FAILURE], created_after=datetime.now(UTC) - PATIENCE
    )
    if context.instance.get_run_records(failed, limit=1):
        return dg.SkipReason("the last run failed; another one follows ten minutes after it")
    return dg.RunRequest()


@dg.definitions
def defs() -> dg.Definitions:
    return dg.Definitions(jobs=[erase_persons], sensors=[asked_erasures])
