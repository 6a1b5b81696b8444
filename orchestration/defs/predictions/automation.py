"""When models are trained and pairs are predicted."""

from datetime import timedelta

import dagster as dg

from orchestration.backoff import IN_PROGRESS, pause_after_failures
from orchestration.executors import TOGETHER
from orchestration.partitions import ALL_BUCKETS, BUCKETS
from orchestration.policies import LONG_RUNTIME
from orchestration.resources import Platform
from orchestration.run_limits import prolong

MODELS = dg.AssetSelection.groups("models")
PREDICTIONS = dg.AssetSelection.groups("predictions")
REASON = "tutorq/reason"


train = dg.define_asset_job(
    "train",
    selection=MODELS | PREDICTIONS,
    description="Train all models on the marts as they are, promote what is better, and predict everything anew.",
    tags=LONG_RUNTIME,
)

predict = dg.define_asset_job(
    "predict",
    selection=PREDICTIONS,
    description="Predict all pairs, or the best of each student, the sessions to come, and who of the tutors stops.",
    tags=LONG_RUNTIME,
)


@dg.op(description="Predict anew the pairs of people who changed, and no others.")
def predict_touched_pairs(context: dg.OpExecutionContext, platform: Platform) -> None:
    from ml.predictions import repredict_touched
    from ml.registry import settled_champion

    prolong(context, platform.settings)
    by = settled_champion(platform.settings, platform.database, "match")
    if by.lost:
        context.log.warning(by.lost)
    done = repredict_touched(platform.settings, platform.database, by.model)
    context.add_output_metadata(
        {"pairs": done.pairs, "kept": done.kept, "students": done.students, "tutors": done.tutors, **by.said}
    )


@dg.job(executor_def=TOGETHER, description="Predict anew the pairs of people who changed.")
def predict_touched() -> None:
    predict_touched_pairs()


# While one of these runs, predictions are about to be made, or about to be out of date.
PREDICTING_JOBS = {train.name, predict.name, predict_touched.name, "roll_over"}


@dg.sensor(
    jobs=[predict, predict_touched],
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for one run: of all pairs after a promotion, newer histories or a change of TUTORQ_MATCH_PAIRS, "
    "of single people's pairs after their attributes changed.",
)
def stale_predictions(context: dg.SensorEvaluationContext, platform: Platform) -> dg.RunRequest | dg.SkipReason:
    """A sensor and no automation condition, because what is stale stands in our tables, by bucket and by person:
    `tutorq train` may promote a champion without Dagster, a run may end half-way, and one changed person is no reason
    to predict a bucket. A condition would see a training, and predict everything even by the same champion.
    """
    from ml.prediction_plans import buckets_are_held

    records = context.instance.get_run_records(dg.RunsFilter(statuses=IN_PROGRESS), limit=20)
    if any(record.dagster_run.job_name in PREDICTING_JOBS for record in records):
        return dg.SkipReason("a run is in progress; what changes meanwhile is taken by the next one")
    with platform.database.connect() as connection:
        if buckets_are_held(connection):
            return dg.SkipReason("a prediction is in progress that is no run, such as `tutorq predict`")
    reason = _reason_to_predict(platform)
    if reason is None:
        return dg.SkipReason("every prediction is up to date")
    job, words = reason
    runs = context.instance.get_run_records(dg.RunsFilter(job_name=job), limit=10)
    if (pause := pause_after_failures(runs)) > timedelta(0):
        return dg.SkipReason(f"the last runs failed; trying again in {pause.total_seconds():.0f} s")
    return dg.RunRequest(job_name=job, tags={REASON: words, **(ALL_BUCKETS if job == predict.name else {})})


def _reason_to_predict(platform: Platform) -> tuple[str, str] | None:
    """The job to run and why, or None; a cheap query."""
    from ml.kept import kept_by, kept_in
    from ml.prediction_plans import plan_is_open
    from ml.registry import champion_version

    with platform.database.connect() as connection:
        row = connection.execute(
            """
            select
                to_regclass('marts.match_students') is not null and to_regclass('marts.match_tutors') is not null,
                exists (select from ml.touched_people)
            """
        ).fetchone()
    is_built, is_touched = row or (False, False)
    if not is_built:
        return None
    version = champion_version(platform.settings, platform.database, "match")
    with platform.database.connect() as connection:
        # Nobody makes its parts, so nobody will publish it.
        if plan_is_open(connection):
            return predict.name, "a prediction was interrupted"
        is_stale, possible = connection.execute(
            """
            select
                count(*) filter (
                    where
                    model_version = %s
                    and as_of is not distinct from (select max(as_of) from intermediate.int_tutors_now)
                ) < %s,
                coalesce(sum(possible), 0)::bigint
            from ml.prediction_buckets
            """,
            [version, len(BUCKETS.get_partition_keys())],
        ).fetchone() or (False, 0)
        kept = kept_in(connection)
    if is_stale:
        return predict.name, "another champion, or newer histories"
    # People are counted by the run; what it found decides until the next one.
    if kept != [kept_by(platform.settings.match_pairs, possible)]:
        return predict.name, "other pairs are to be kept"
    return (predict_touched.name, "people changed") if is_touched else None


# When the models are trained is said by their condition (models.py); this looks after it.
weekly_training = dg.AutomationConditionSensorDefinition(
    "weekly_training",
    target=MODELS,
    run_tags=LONG_RUNTIME,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="On Mondays, once the roll-over has renewed the outcomes: learn from what the week has shown.",
)


@dg.definitions
def defs() -> dg.Definitions:
    return dg.Definitions(jobs=[train, predict, predict_touched], sensors=[stale_predictions, weekly_training])
