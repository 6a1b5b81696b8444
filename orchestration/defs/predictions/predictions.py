"""Predictions as assets: all pairs by buckets of students, sessions to come, tutors; and checks of what was written."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg

from core.settings import Settings
from orchestration.executors import is_spread
from orchestration.partitions import BUCKETS
from orchestration.policies import OWNER, RETRY_POLICY
from orchestration.resources import Platform
from orchestration.row_counts import table_rows

if TYPE_CHECKING:
    from ml.registry import Champion

MATCH_PREDICTIONS = dg.AssetKey(["ml", "match_predictions"])
SESSION_PREDICTIONS = dg.AssetKey(["ml", "session_predictions"])

TUTOR_PREDICTIONS = dg.AssetKey(["ml", "tutor_predictions"])

RECENT_DAYS = 30


OF_PAIRS: dict[str, Any] = {
    "key": MATCH_PREDICTIONS,
    "group_name": "predictions",
    "kinds": {"postgres", "table", "xgboost"},
    "owners": [OWNER],
    "description": "One row per active student and active tutor, or per student and tutor on the student's list of the "
    "best (TUTORQ_MATCH_PAIRS). A partition is a sixteenth of the students; those of a run are published together. "
    "With workers (TUTORQ_EXECUTOR) each is a step of its own; lists are made for all students at once, by one step.",
    "partitions_def": BUCKETS,
    "backfill_policy": dg.BackfillPolicy.single_run(),
}


@dg.asset(  # type: ignore[untyped-decorator]
    deps=[["ml", "match_model"], ["marts", "match_students"], ["marts", "match_tutors"]],
    retry_policy=RETRY_POLICY,
    **OF_PAIRS,
)
def match_predictions(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult[None]:
    from ml.predictions import predict_all
    from ml.registry import settled_champion

    by = settled_champion(platform.settings, platform.database, "match")
    _tell_lost(context, by)
    model = by.model
    buckets = [int(key) for key in context.partition_keys]
    done = predict_all(platform.settings, platform.database, model, buckets=buckets)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": done.pairs,
            **by.said,
            "students": done.students,
            "tutors": done.tutors,
            "kept": done.kept,
            "scored": done.scored,
            "pairs_per_second": round(done.scored / max(done.seconds, 1e-9)),
        }
    )


# The same asset by several processes. What steps tell each other stands in ml.prediction_plans, and the buckets of a
# step in its key: workers share no files that outputs could be in.
@dg.op(
    ins={"deps": dg.In(dg.Nothing)},
    out=dg.DynamicOut(dg.Nothing),
    description="Say which buckets are to be predicted, and by which model.",
    retry_policy=RETRY_POLICY,
)
def plan_buckets(context: dg.OpExecutionContext, platform: Platform) -> Iterator[dg.DynamicOutput[None]]:
    from ml.predictions import plan_pairs
    from ml.registry import settled_champion

    by = settled_champion(platform.settings, platform.database, "match")
    _tell_lost(context, by)
    buckets = [int(key) for key in context.partition_keys]
    plan = plan_pairs(platform.settings, platform.database, by.model, asked_by=_asked_by(context), buckets=buckets)
    for share in plan.shares:
        yield dg.DynamicOutput(None, mapping_key="_".join(f"{bucket:02d}" for bucket in share))


@dg.op(
    ins={"plan": dg.In(dg.Nothing)},
    out=dg.Out(dg.Nothing),
    description="Predict the pairs of a bucket, beside those that are read.",
    retry_policy=RETRY_POLICY,
)
def predict_bucket(context: dg.OpExecutionContext, platform: Platform) -> None:
    from ml.prediction_plans import run_asked_by
    from ml.predictions import predict_share

    share = [int(bucket) for bucket in (context.get_mapping_key() or "").split("_")]
    with platform.database.connect() as connection:
        run = run_asked_by(connection, _asked_by(context))
    done = predict_share(platform.settings, platform.database, run, share)
    context.log.info("Predicted %s pairs in %.1f s.", f"{done.pairs:,}", done.seconds)


@dg.op(
    ins={"buckets": dg.In(dg.Nothing)},
    out=dg.Out(dg.Nothing),
    description="Put all predicted buckets in the place of the old ones at once.",
    retry_policy=RETRY_POLICY,
)
def publish_buckets(context: dg.OpExecutionContext, platform: Platform) -> None:
    from ml.prediction_plans import missing_buckets, run_asked_by
    from ml.predictions import predict_share, publish_pairs

    with platform.database.connect() as connection:
        run = run_asked_by(connection, _asked_by(context))
        missing = missing_buckets(connection, run)
    # Dagster's retry from failure leaves out mapped steps that had not begun.
    if missing:
        context.log.info("Predicting buckets that no step has predicted: %s.", ", ".join(map(str, missing)))
        predict_share(platform.settings, platform.database, run, missing)
    done = publish_pairs(platform.settings, platform.database, run)
    context.add_output_metadata(
        {
            "dagster/row_count": done.pairs,
            "model": done.model_version,
            "kept": done.kept,
        }
    )


def _asked_by(context: dg.OpExecutionContext) -> str:
    """The first of the runs that are attempts at the same."""
    return context.run.root_run_id or context.run.run_id


def match_predictions_by_bucket() -> dg.AssetsDefinition:
    """`match_predictions` with a step for each bucket."""

    @dg.graph_asset(
        ins={
            "match_model": dg.AssetIn(["ml", "match_model"], dagster_type=dg.Nothing),
            "match_students": dg.AssetIn(["marts", "match_students"], dagster_type=dg.Nothing),
            "match_tutors": dg.AssetIn(["marts", "match_tutors"], dagster_type=dg.Nothing),
        },
        **OF_PAIRS,
    )
    def match_predictions(match_model: None, match_students: None, match_tutors: None) -> Any:
        shares = plan_buckets([match_model, match_students, match_tutors])
        return publish_buckets(shares.map(predict_bucket).collect())

    return match_predictions


@dg.asset(
    key=SESSION_PREDICTIONS,
    deps=[["ml", "session_model"], ["ml", "student_no_show_model"], ["marts", "upcoming_session_features"]],
    group_name="predictions",
    kinds={"postgres", "table", "xgboost"},
    owners=[OWNER],
    description="One row per scheduled session, with the risks of tutor and student. Predicts what has no prediction "
    "of today by the champions yet, so that small batches are quick.",
    retry_policy=RETRY_POLICY,
)
def session_predictions(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult[None]:
    from ml.predictions import predict_booked
    from ml.registry import settled_champion
    from ml.session_predictions import predict_sessions

    by, of_students, of_pairs = (
        settled_champion(platform.settings, platform.database, kind) for kind in ("session", "student_no_show", "match")
    )
    for found in (by, of_students, of_pairs):
        _tell_lost(context, found)
    predicted = predict_sessions(platform.database, by.model, of_students.model)
    booked = predict_booked(platform.settings, platform.database, of_pairs.model, wait=False)
    with platform.database.connect() as connection:
        rows = table_rows(connection, "ml", "session_predictions")
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": rows,
            **by.said,
            **{f"student_{name}": said for name, said in of_students.said.items()},
            "predicted": predicted,
            "first_meetings": booked,
        }
    )


@dg.asset(
    key=TUTOR_PREDICTIONS,
    deps=[["ml", "attrition_model"], ["marts", "attrition_features"]],
    group_name="predictions",
    kinds={"postgres", "table", "xgboost"},
    owners=[OWNER],
    description="One row per active tutor who taught lately: how probable it is that the tutor stops within 60 days.",
    retry_policy=RETRY_POLICY,
)
def tutor_predictions(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult[None]:
    from ml.registry import settled_champion
    from ml.tutor_predictions import predict_tutors

    by = settled_champion(platform.settings, platform.database, "attrition")
    _tell_lost(context, by)
    tutors = predict_tutors(platform.database, by.model)
    return dg.MaterializeResult(metadata={"dagster/row_count": tutors, **by.said})


def _tell_lost(context: dg.AssetExecutionContext | dg.OpExecutionContext, by: "Champion") -> None:
    """In the log of the run; it goes on with the rules."""
    if by.lost:
        context.log.warning(by.lost)


@dg.asset_check(
    asset=MATCH_PREDICTIONS,
    description="Every active student has a prediction with every active tutor, or with as many candidates as belong "
    "on a list, but for people touched since.",
)
def is_complete(platform: Platform) -> dg.AssetCheckResult:
    from ml.kept import kept_in
    from ml.predictions import wanted_pairs

    with platform.database.connect() as connection:
        predicted, touched = connection.execute(
            "select (select count(*) from ml.match_predictions), (select count(*) from ml.touched_people)"
        ).fetchone() or (0, 0)
        kept = kept_in(connection)
        wanted = wanted_pairs(connection, kept[0]) if kept else 0
        (booked,) = connection.execute(
            "select count(distinct (student_id, tutor_id)) from marts.upcoming_sessions where is_first_meeting"
        ).fetchone() or (0,)
    # Besides lists of the best, booked first meetings are predicted, of which some are on these lists.
    surplus = booked if kept == ["top"] else 0
    return dg.AssetCheckResult(
        passed=len(kept) < 2 and (wanted <= predicted <= wanted + surplus or touched > 0),
        metadata={"predicted": predicted, "wanted": wanted, "touched_since": touched, "kept": " and ".join(kept)},
    )


@dg.asset_check(
    asset=MATCH_PREDICTIONS,
    description="Probabilities tell pairs apart: not all are the same, and their mean is believable.",
)
def range_is_plausible(platform: Platform) -> dg.AssetCheckResult:
    with platform.database.connect() as connection:
        pairs, lowest, mean, highest = connection.execute(
            "select count(*), min(churn_probability)::float8, avg(churn_probability)::float8, "
            "max(churn_probability)::float8 from ml.match_predictions"
        ).fetchone() or (0, None, None, None)
    if not pairs:
        return dg.AssetCheckResult(passed=True, metadata={"pairs": 0})
    return dg.AssetCheckResult(
        passed=lowest >= 0 and highest <= 1 and 0.01 < mean < 0.99 and (pairs < 100 or highest > lowest),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"pairs": pairs, "lowest": lowest, "mean": mean, "highest": highest},
    )


@dg.asset_check(
    asset=MATCH_PREDICTIONS,
    description="Pairs of the last 30 days look like those the champion was trained on: population stability index per "
    "feature. Above 0.25 a feature has moved, and the model may need other data.",
)
def features_have_not_drifted(platform: Platform) -> dg.AssetCheckResult:
    from ml.drift import drift
    from ml.features import MATCH, feature_matrix
    from ml.model import BoostedModel
    from ml.registry import champion
    from ml.training_set import training_set

    model = champion(platform.settings, platform.database, "match").model
    if not isinstance(model, BoostedModel):
        return dg.AssetCheckResult(passed=True, metadata={"model": model.version})
    recent = training_set(platform.database, MATCH, last_days=RECENT_DAYS)
    found = drift(model.reference, model.features, feature_matrix(model.features, recent))
    return dg.AssetCheckResult(
        passed=not found.drifted,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"rows": found.rows, "drifted": ", ".join(found.drifted) or "none",
                  "psi": dg.MetadataValue.json({name: round(value, 4) for name, value in found.psi.items()})},
    )  # fmt: skip


@dg.asset_check(
    asset=SESSION_PREDICTIONS,
    description="Every scheduled session from the as-of day on has both predictions.",
)
def sessions_are_complete(platform: Platform) -> dg.AssetCheckResult:
    with platform.database.connect() as connection:
        built = connection.execute("select to_regclass('marts.upcoming_sessions') is not null").fetchone()
        if not (built and built[0]):
            return dg.AssetCheckResult(passed=True, metadata={"upcoming": 0})
        upcoming, missing = connection.execute(
            "select count(*), count(*) filter (where tutor_disruption_probability is null "
            "or student_no_show_probability is null) from marts.upcoming_sessions"
        ).fetchone() or (0, 0)
    # What was booked while the check ran is predicted by the next run.
    return dg.AssetCheckResult(
        passed=missing <= max(10, 0.01 * upcoming), metadata={"upcoming": upcoming, "missing": missing}
    )


@dg.definitions
def defs() -> dg.Definitions:
    of_pairs = match_predictions_by_bucket() if is_spread(Settings()) else match_predictions
    return dg.Definitions(
        assets=[of_pairs, session_predictions, tutor_predictions],
        asset_checks=[is_complete, range_is_plausible, features_have_not_drifted, sessions_are_complete],
    )
