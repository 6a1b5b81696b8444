"""When the graph runs: on new data, on a new day, and on changed settings or models."""

import json
import time
from datetime import time as time_of_day
from datetime import timedelta

import dagster as dg

from core import scoring_settings
from core.dbt_runner import models_version
from core.settings import Settings
from ingest import LandedFile, complete_files, unmoved_files
from orchestration.backoff import IN_PROGRESS, pause_after_failures
from orchestration.defs.ingest.excuses import note_excuses
from orchestration.defs.marts.dbt_models import HISTORY, thorough_checks
from orchestration.executors import TOGETHER, spread
from orchestration.partitions import partition_range
from orchestration.policies import ASSET_JOB, MATCHING_TAG, NIGHTLY_TAG
from orchestration.resources import Platform

RAW = dg.AssetSelection.groups("raw")
# The days of score_history, what is made of half a year and more, and tests that read whole tables.
NIGHTLY = dg.AssetSelection.assets(HISTORY) | dg.AssetSelection.tag(NIGHTLY_TAG, "") | thorough_checks()
# Histories and outcomes of all pairs are made once a day: they cost as much as the history is long.
MATCHING = dg.AssetSelection.tag(MATCHING_TAG, "")
MODELS = dg.AssetSelection.groups("models", "predictions")
SESSION_PREDICTIONS = dg.AssetSelection.assets(["ml", "session_predictions"])
# Fetched by schedules of their own; their files start a batch.
CONNECTORS = dg.AssetSelection.groups("connectors")
BATCH = dg.AssetSelection.all() - NIGHTLY - MATCHING - MODELS - CONNECTORS | SESSION_PREDICTIONS

load_and_score = dg.define_asset_job(
    "load_and_score",
    executor_def=TOGETHER,
    selection=BATCH,
    description="Load new landing files, then bring every mart up to date.",
)

score = dg.define_asset_job(
    "score",
    executor_def=TOGETHER,
    selection=BATCH - RAW,
    description="Bring every mart up to date with what is in the raw tables.",
)

roll_over = dg.define_asset_job(
    "roll_over",
    executor_def=TOGETHER,
    selection=dg.AssetSelection.all() - MODELS - CONNECTORS,
    description="Every table and mart, and the scores of the chosen days recorded in score_history.",
)

SCORING_JOBS = {load_and_score.name, score.name, roll_over.name}
SCORING_SCHEMAS = {"raw", "staging", "intermediate", "marts"}
REASON = "tutorq/reason"
NEW_DAY = "a new day has begun"
MODELS_CHANGED = "models changed"
NO_NIGHT_YET = "what is made at night is missing"
ROLL_OVER_OVERDUE = time_of_day(0, 30)
CATCH_UP = timedelta(days=30)
WATCH_SECONDS = 4.0
LOOK_EVERY_SECONDS = 0.5


def daily_roll_over(timezone: str) -> dg.ScheduleDefinition:
    @dg.schedule(
        name="daily_roll_over",
        job=roll_over,
        cron_schedule="10 0 * * *",
        execution_timezone=timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Ten past midnight: record the days since the last recorded one, and move the windows on.",
    )
    def schedule(platform: Platform) -> dg.RunRequest:
        return _roll_over_request(platform, NEW_DAY)

    return schedule


@dg.sensor(
    jobs=[load_and_score, score, roll_over],
    minimum_interval_seconds=1,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for one run per batch: on new landing files, changed rows, a new day, settings or models.",
)
def new_data(context: dg.SensorEvaluationContext, platform: Platform) -> dg.RunRequest | dg.SkipReason:
    """Dagster ticks every five seconds at most, so a tick watches for most of that time instead of looking once.

    A sensor and no automation condition, because conditions know Dagster's events, while what is to be done stands in
    our own queues: sessions are written by the API and psql, runs die before they publish, settings change. Conditions
    are also looked at every 30 seconds only, and know no pause that grows with each failure.
    """
    until = time.monotonic() + WATCH_SECONDS
    while isinstance(answer := _look(context, platform), dg.SkipReason) and time.monotonic() < until:
        time.sleep(LOOK_EVERY_SECONDS)
    return answer


def _look(context: dg.SensorEvaluationContext, platform: Platform) -> dg.RunRequest | dg.SkipReason:
    if _scoring_runs(context.instance, dg.RunsFilter(statuses=IN_PROGRESS)):
        return dg.SkipReason("a run is in progress; what arrives meanwhile is taken by the next one")
    if (pause := pause_after_failures(_scoring_runs(context.instance, dg.RunsFilter()))) > timedelta(0):
        return dg.SkipReason(f"the last runs failed; trying again in {pause.total_seconds():.0f} s")

    seen: dict[str, str] = json.loads(context.cursor or "{}")
    pending, done = _landing(platform, seen)
    context.update_cursor(json.dumps(done))
    if pending:
        return dg.RunRequest(job_name=load_and_score.name, tags={REASON: "new landing files"})
    reason = _reason_to_score(platform)
    if reason:
        note_excuses(context.instance, platform)
    # A run for a batch leaves the models of matching as they are.
    if reason in (NEW_DAY, MODELS_CHANGED, NO_NIGHT_YET):
        return _roll_over_request(platform, reason)
    if reason:
        return dg.RunRequest(job_name=score.name, tags={REASON: reason})
    return dg.SkipReason("nothing new")


def _scoring_runs(instance: dg.DagsterInstance, runs: dg.RunsFilter) -> list[dg.RunRecord]:
    """Those of the newest runs that score."""
    return [record for record in instance.get_run_records(runs, limit=20) if _scores(record.dagster_run)]


def _scores(run: dg.DagsterRun) -> bool:
    """Whether `new_data` has to wait for it: training runs in Dagster's own job, too, and may take an hour."""
    if run.job_name != ASSET_JOB:
        return run.job_name in SCORING_JOBS
    return any(key.path[0] in SCORING_SCHEMAS for key in run.asset_selection or ())


def _roll_over_request(platform: Platform, reason: str) -> dg.RunRequest:
    """One run for yesterday and the nights that were missed since the last recorded day, 30 at most."""
    yesterday = platform.today() - timedelta(days=1)
    with platform.database.connect() as connection:
        (exists,) = connection.execute("select to_regclass('marts.score_history') is not null").fetchone() or (False,)
        recorded = None
        if exists:
            (recorded,) = connection.execute(
                "select max(as_of) from marts.score_history where as_of < %s", [yesterday]
            ).fetchone() or (None,)
    # From the last recorded day on, and not from the one after it: it may have been recorded before its end.
    first = max(recorded, yesterday - CATCH_UP) if recorded else yesterday
    return dg.RunRequest(job_name=roll_over.name, tags={REASON: reason, **partition_range(first, yesterday)})


def _landing(platform: Platform, seen: dict[str, str]) -> tuple[list[LandedFile], dict[str, str]]:
    """Files still to be loaded or moved away, and those for which nothing more can be done (path: fingerprint).

    The database knows which are which; `seen` only saves asking it about files that have not changed.
    """
    files = complete_files(platform.settings.landing)
    unseen = [file for file in files if seen.get(file.source) != file.fingerprint]
    unmoved = unmoved_files(platform.landing_database, unseen) if unseen else []
    pending = [file for file in unseen if file not in unmoved]
    return pending, {file.source: file.fingerprint for file in files if file not in pending}


def _reason_to_score(platform: Platform) -> str | None:
    """Why the marts are out of date, or None; one cheap query."""
    settings = platform.settings
    with platform.database.connect() as connection:
        row = connection.execute(
            """
            select
                exists (select from raw.changes),
                exists (select from raw.sessions),
                to_regclass('marts.publication') is not null
            """
        ).fetchone()
        has_changes, has_sessions, is_published = row or (False, False, False)
        if not has_sessions:
            return None
        if has_changes:
            return "rows changed"
        if not is_published:
            return "nothing is published yet"
        published = connection.execute(
            """
            select
                exists (select from intermediate.unpublished)
                or exists (select from intermediate.touched_tutor_days)
                or exists (select from intermediate.touched_pairs),
                to_regclass('marts.tutor_patterns') is null,
                as_of,
                to_jsonb(publication)
            from marts.publication
            """
        ).fetchone()
        wanted = {**settings.dbt_vars(), **scoring_settings.in_force(settings, connection)}
    if published is None:
        return "nothing is published yet"
    is_unfinished, is_without_night, as_of, built_with = published
    if is_unfinished:
        return "a run ended before it had published"
    # Scored for the first time by a run for files; the dashboard reads what is made at night, too.
    if is_without_night:
        return NO_NIGHT_YET
    # The schedule's hour comes first; this is for installations that were off at midnight.
    if settings.as_of == "now" and as_of < platform.today() and platform.now().time() > ROLL_OVER_OVERDUE:
        return NEW_DAY
    if settings.as_of not in ("now", "latest") and as_of.isoformat() != settings.as_of:
        return "the as-of day was set anew"
    # A version before may have published it, or dbt that somebody called by hand.
    if built_with.get("models_version") != models_version():
        return MODELS_CHANGED
    # Of a version before, some may be missing. The as-of day may be set as `now` or `latest`.
    known = {**built_with, **scoring_settings.of_publication(built_with)}
    changed = any(known.get(name) != value for name, value in wanted.items() if name != "as_of")
    return "settings changed" if changed else None


@dg.definitions
def defs() -> dg.Definitions:
    return dg.Definitions(
        jobs=[load_and_score, score, roll_over],
        schedules=[daily_roll_over(Settings().timezone)],
        sensors=[new_data],
        resources={"platform": Platform()},
        executor=spread(Settings()),
    )
