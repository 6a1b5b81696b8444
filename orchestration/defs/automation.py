"""When the graph runs: on new data, on a new day, and on changed settings."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

import dagster as dg

from core.landing import is_loaded, landing_files
from core.settings import Settings
from orchestration.conventions import MAX_RUNTIME, SCORE_DAYS, partition_range
from orchestration.resources import Platform
from orchestration.transform import dbt_cli

HISTORY = dg.AssetSelection.assets(["marts", "score_history"])
RAW = dg.AssetSelection.groups("raw")

load_and_score = dg.define_asset_job(
    "load_and_score",
    selection=dg.AssetSelection.all() - HISTORY,
    description="Load new landing files, then bring every mart up to date.",
    tags=MAX_RUNTIME,
)

score = dg.define_asset_job(
    "score",
    selection=dg.AssetSelection.all() - HISTORY - RAW,
    description="Bring every mart up to date with what is in the raw tables.",
    tags=MAX_RUNTIME,
)

roll_over = dg.define_asset_job(
    "roll_over",
    selection=dg.AssetSelection.all(),
    partitions_def=SCORE_DAYS,
    description="The whole graph, and the scores of the chosen days recorded in score_history.",
    tags=MAX_RUNTIME,
)

RUNNING = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]
# Assets materialised by hand run in a job of Dagster's own.
SCORING_JOBS = {load_and_score.name, score.name, roll_over.name, "__ASSET_JOB"}
REASON = "tutorq/reason"
NEW_DAY = "a new day has begun"
ROLL_OVER_OVERDUE = time(0, 30)
CATCH_UP = timedelta(days=30)
LONGEST_PAUSE = timedelta(minutes=15)


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
        return _roll_over_request(platform)

    return schedule


@dg.sensor(
    jobs=[load_and_score, score, roll_over],
    minimum_interval_seconds=2,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for one run per batch: on new landing files, changed rows, a new day or changed settings.",
)
def new_data(context: dg.SensorEvaluationContext, platform: Platform) -> dg.RunRequest | dg.SkipReason:
    runs = [
        record for record in context.instance.get_run_records(limit=20) if record.dagster_run.job_name in SCORING_JOBS
    ]
    if any(record.dagster_run.status in RUNNING for record in runs):
        return dg.SkipReason("a run is in progress; what arrives meanwhile is taken by the next one")
    if (pause := _pause_after_failures(runs)) > timedelta(0):
        return dg.SkipReason(f"the last runs failed; trying again in {pause.total_seconds():.0f} s")

    seen: dict[str, list[float]] = json.loads(context.cursor or "{}")
    landed = dict(_settled_files(platform.settings))
    changed = [name for name, fingerprint in landed.items() if seen.get(name) != fingerprint]
    context.update_cursor(json.dumps(landed))
    if any(not is_loaded(platform.database, platform.settings.landing / name) for name in changed):
        return dg.RunRequest(job_name=load_and_score.name, tags={REASON: "new landing files"})
    reason = _reason_to_score(platform)
    if reason == NEW_DAY:
        return _roll_over_request(platform)
    if reason:
        return dg.RunRequest(job_name=score.name, tags={REASON: reason})
    return dg.SkipReason("nothing new")


def _roll_over_request(platform: Platform) -> dg.RunRequest:
    """One run for yesterday and the nights that were missed since the last recorded day, 30 at most."""
    yesterday = platform.today() - timedelta(days=1)
    with platform.database.connect() as connection:
        (exists,) = connection.execute("select to_regclass('marts.score_history') is not null").fetchone() or (False,)
        recorded = None
        if exists:
            (recorded,) = connection.execute(
                "select max(as_of) from marts.score_history where as_of < %s", [yesterday]
            ).fetchone() or (None,)
    first = max(recorded + timedelta(days=1), yesterday - CATCH_UP) if recorded else yesterday
    return dg.RunRequest(job_name=roll_over.name, tags=partition_range(first, yesterday))


def _settled_files(settings: Settings) -> Iterator[tuple[str, list[float]]]:
    """Landing files that nobody has written to for two seconds: name, and (modified, size)."""
    if not settings.landing.is_dir():
        return
    for path in landing_files(settings.landing):
        stat = path.stat()
        if datetime.now(UTC).timestamp() - stat.st_mtime > 2:
            yield path.name, [stat.st_mtime, stat.st_size]


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
                exists (select from intermediate.unpublished),
                as_of, timezone, risk_threshold, high_risk_probability, watch_probability
            from marts.publication
            """
        ).fetchone()
    if published is None:
        return "nothing is published yet"
    is_unfinished, as_of, *built_with = published
    if is_unfinished:
        return "a run ended before it had published"
    # The schedule's hour comes first; this is for installations that were off at midnight.
    if settings.as_of == "now" and as_of < platform.today() and platform.now().time() > ROLL_OVER_OVERDUE:
        return NEW_DAY
    if settings.as_of not in ("now", "latest") and as_of.isoformat() != settings.as_of:
        return "the as-of day was set anew"
    wanted = [
        settings.timezone,
        settings.risk_threshold,
        settings.high_risk_probability,
        settings.watch_probability,
    ]
    return "settings changed" if built_with != wanted else None


def _pause_after_failures(runs: list[dg.RunRecord]) -> timedelta:
    """How long to wait yet before asking again: a minute after the first failure, doubled with each further one."""
    failures = 0
    for record in runs:
        if record.dagster_run.status is not dg.DagsterRunStatus.FAILURE:
            break
        failures += 1
    if failures == 0 or runs[0].end_time is None:
        return timedelta(0)
    pause = min(timedelta(minutes=2 ** (failures - 1)), LONGEST_PAUSE)
    return datetime.fromtimestamp(runs[0].end_time, UTC) + pause - datetime.now(UTC)


@dg.definitions
def defs() -> dg.Definitions:
    return dg.Definitions(
        jobs=[load_and_score, score, roll_over],
        schedules=[daily_roll_over(Settings().timezone)],
        sensors=[new_data],
        resources={"platform": Platform(), "dbt": dbt_cli()},
        executor=dg.in_process_executor,
    )
