"""What can be wrong with the platform, in the words of an alert: what its database tells, and what others found."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg.rows import dict_row

from core import postgres_urls
from core.database import Database
from core.errors import TutorqError
from core.words import plural

OLDEST_CHANGE = timedelta(minutes=15)
OLDEST_MAIL = timedelta(minutes=15)
QUARANTINE_WITHIN = timedelta(hours=1)
QUARANTINE_ROWS = 20
HEARTBEAT_STALE = timedelta(minutes=2)
FAILED_FILES_WITHIN = timedelta(days=1)
# A folder of bad files, or a change that breaks many checks, is a few mails and not hundreds.
TOLD_ONE_BY_ONE = 5
SERVICE_ENDED = "service_ended:"

# Nothing is late before the first publication: the first run over a long history takes its time.
STATE_OF_THE_PLATFORM = """
select
    now() as now,
    (select min(changed_at) from raw.changes where to_regclass('marts.publication') is not null) as oldest_change,
    (select count(*) from raw.changes) as changes,
    (
        select min(greatest(next_attempt_at, created_at)) from app.email_reports
        where state = 'queued' and attempts = 0
    ) as oldest_mail,
    -- Webhooks are tried again for a day and more; that none arrives is told of their endpoint.
    (
        select min(created_at) from app.email_reports where state = 'queued' and attempts > 0 and channel <> 'webhook'
    ) as oldest_repeated_mail,
    (select min(claimed_at) from app.email_reports where state = 'sending') as oldest_claim,
    (
        select count(*) from app.email_reports where state = 'queued' and (channel <> 'webhook' or attempts = 0)
    ) as queued,
    (
        select count(*)
        from raw.quarantine
        cross join app.report_switches
        where
            report_switches.switch = 'alert'
            and not is_remark
            and first_seen_at > greatest(report_switches.on_since, now() - %(quarantine_within)s)
    ) as quarantined
"""


# No index tells when a session arrived. Loads tell it of files; posts are about sessions of these days, or to come.
NEWEST_ARRIVAL = """
select greatest(
    (
        select max(finished_at) from raw.loads
        where entity in ('sessions', 'reschedules') and inserted_rows + updated_rows > 0
    ),
    (select max(loaded_at) from raw.sessions where scheduled_time > now() - interval '8 days')
)
"""
# Files of the landing directory of which nothing could be taken, whether no row could be read or every one was refused;
# until a file of that name is loaded.
FAILED_FILES = """
with failed as (
    select entity, source, reason, refused_at as failed_at, checksum
    from raw.refused_files
    union all
    select entity, source, 'none of its ' || read_rows || ' rows could be taken', finished_at, checksum
    from raw.loads
    where read_rows > 0 and quarantined_rows = read_rows and moved_to like 'failed/%%'
)
select entity, source, reason, failed_at, checksum
from failed
where
    failed_at > greatest((select on_since from app.report_switches where switch = 'alert'), now() - %(within)s)
    and not exists (
        select from raw.loads
        where
            loads.entity = failed.entity and loads.source = failed.source and loads.finished_at > failed.failed_at
            and (read_rows = 0 or quarantined_rows < read_rows)
    )
order by failed_at, source
"""


@dataclass(frozen=True, slots=True)
class Condition:
    """A trouble. `name` is the same for as long as it lasts; `figures` are what was measured, label and value."""

    name: str
    title: str
    detail: str
    advice: str
    figures: tuple[tuple[str, str], ...] = ()
    is_certain: bool = False


def run_failed(job: str, run_id: str, address: str) -> Condition:
    """A job whose last run failed for good. Error texts may quote data, so they stay in Dagster."""
    return Condition(
        name=f"run_failed:{job}",
        title=f"the job {job} has failed",
        detail="Dagster retried its steps, and each attempt failed. Nothing is lost: the work waits for the next run.",
        advice=f"Open the run in Dagster: {address}/runs/{run_id}",
        figures=(("job", job), ("run", run_id[:8])),
        is_certain=True,
    )


def service_ended(name: str, log: str) -> Condition:
    """A service that ended by itself, whereupon `tutorq up` has stopped the others."""
    return Condition(
        name=f"{SERVICE_ENDED}{name}",
        title=f"{name} ended, and tutorq stopped all services",
        detail="tutorq scores, serves and sends nothing until you start it again. Received data is safe.",
        advice=f"Read the end of {log}, then start `tutorq up` again.",
        figures=(("service", name),),
        is_certain=True,
    )


def check_failed(asset: str, check: str, promise: str) -> Condition:
    """A check of severity ERROR that does not hold. What it found may quote data, so it stays in Dagster."""
    return Condition(
        name=f"check_failed:{asset}:{check}",
        title=f"the check {check} of {asset} failed",
        detail=f"It should hold that: {promise}" if promise else "Dagster shows the details.",
        advice=f"Open the checks of {asset} in Dagster.",
        figures=(("table", asset), ("check", check)),
    )


def checks_failed(failed: Sequence[tuple[str, str, str]]) -> list[Condition]:
    """The same for all that fail, (asset, check, promise) each; beyond a few in one."""
    conditions = [check_failed(*each) for each in failed[:TOLD_ONE_BY_ONE]]
    if more := [f"{check} of {asset}" for asset, check, _ in failed[TOLD_ONE_BY_ONE:]]:
        conditions.append(
            Condition(
                "check_failed:more",
                f"{plural(len(more), 'more check')} failed",
                f"In addition to the checks mailed one by one: {_listed(more)}.",
                "Open the checks in Dagster. The first failure often causes the others.",
            )
        )
    return conditions


def tables_stale(assets: Sequence[str]) -> Condition:
    """Assets that Dagster's freshness policies find too old."""
    return Condition(
        "tables_stale",
        f"{plural(len(assets), 'table is', 'tables are')} out of date",
        f"Not updated in time: {_listed(assets)}.",
        "Check the overview in Dagster for failed runs or a missed nightly roll-over.",
        (("tables", f"{len(assets):,}"),),
    )


def no_new_data(hours: int) -> Condition:
    """Neither a file nor the API has brought a new or changed session for so long."""
    return Condition(
        "no_new_data",
        f"no new sessions for {plural(hours, 'hour')}",
        "No file and no API call brought a new or changed session. Scores do not change.",
        "Check the export and the posts of the marketplace. `TUTORQ_SILENT_DATA_HOURS` sets the limit.",
        (("limit", plural(hours, "hour")),),
    )


def troubles(connection: psycopg.Connection, oldest_change: timedelta = OLDEST_CHANGE) -> Iterator[Condition]:
    """What is wrong with the platform now, as its database tells."""
    with connection.cursor(row_factory=dict_row) as cursor:
        state = cursor.execute(STATE_OF_THE_PLATFORM, {"quarantine_within": QUARANTINE_WITHIN}).fetchone() or {}
    now: datetime = state["now"]
    if _older(state["oldest_change"], oldest_change, now):
        yield Condition(
            "unprocessed_changes",
            f"changes wait for over {_minutes(oldest_change)}",
            "Sessions arrived that the scores do not include yet.",
            "Check that the Dagster daemon is running and look for failed runs. No data is lost.",
            (("oldest change", _age(state["oldest_change"], now)), ("changes waiting", f"{state['changes']:,}")),
        )
    stuck = [
        moment
        for moment in (state["oldest_mail"], state["oldest_repeated_mail"], state["oldest_claim"])
        if _older(moment, OLDEST_MAIL, now)
    ]
    if stuck:
        yield Condition(
            "outbox_stuck",
            "mail is not being sent",
            "Mail has waited too long.",
            "See the column `error` of app.email_reports. Check that the provider is reachable and the key is valid.",
            (("oldest", _age(min(stuck), now)), ("mails waiting", f"{state['queued']:,}")),
        )
    if state["quarantined"] >= QUARANTINE_ROWS:
        yield Condition(
            "quarantine_growing",
            "tutorq refuses many rows",
            "tutorq cannot load incoming rows and puts them into quarantine.",
            "See the column `reason` of raw.quarantine. A source may have changed its format.",
            (("rows in the last hour", f"{state['quarantined']:,}"),),
        )
    yield from lost_models(connection)
    yield from failed_files(connection)
    yield from disabled_webhooks(connection)


def lost_models(connection: psycopg.Connection) -> Iterator[Condition]:
    """Champions whose files are gone or damaged, as whoever predicts has noted."""
    rows = connection.execute(
        "select kind, model_version, lost_at from ml.models where is_champion and lost_at is not null order by kind"
    ).fetchall()
    for kind, version, lost_at in rows:
        yield Condition(
            f"model_lost:{kind}",
            f"the {kind} model is lost",
            "The model files are missing or damaged. Until you restore them, rules make the predictions.",
            "Restore the files from a backup, or train a new model: `tutorq train`, or the job `train` in Dagster.",
            (("model", version), ("noticed", f"{lost_at:%Y-%m-%d %H:%M} UTC")),
            is_certain=True,
        )


def disabled_webhooks(connection: psycopg.Connection) -> Iterator[Condition]:
    """Endpoints that tutorq itself has disabled. Of the address only the host is told: a path may hold a secret."""
    rows = connection.execute(
        "select endpoint_id, coalesce(description, host), disabled_why "
        "from app.webhook_endpoints where state = 'disabled' and disabled_by <> 'person' order by created_at"
    ).fetchall()
    for endpoint_id, name, why in rows:
        yield Condition(
            f"webhook_disabled:{endpoint_id}",
            f"the webhook {name} is disabled",
            f"tutorq no longer posts to this webhook: {why}.",
            "Fix the receiver, then switch the webhook on again on the page Webhooks.",
            (("webhook", str(name)),),
            is_certain=True,
        )


def newest_arrival(connection: psycopg.Connection) -> datetime | None:
    """When new or changed sessions last arrived, by file or post; None if none ever did."""
    row = connection.execute(NEWEST_ARRIVAL).fetchone()
    return row[0] if row else None


def failed_files(connection: psycopg.Connection) -> list[Condition]:
    """Landing files of the last day of which nothing could be taken, nor of one of that name since; many in one."""
    rows = connection.execute(FAILED_FILES, {"within": FAILED_FILES_WITHIN}).fetchall()
    advice = "Fix the file and drop it again. The landing folder `failed` has the file and its report."
    conditions = [
        Condition(
            f"file_failed:{entity}:{checksum[:16]}",
            f"the file {source} could not be loaded",
            f"{reason[:300]}. tutorq loaded nothing from this file, but all other files.",
            advice,
            (("file", source), ("failed", f"{failed_at:%Y-%m-%d %H:%M} UTC")),
            is_certain=True,
        )
        for entity, source, reason, failed_at, checksum in rows[:TOLD_ONE_BY_ONE]
    ]
    if more := [str(row[1]) for row in rows[TOLD_ONE_BY_ONE:]]:
        conditions.append(
            Condition(
                "file_failed:more",
                f"{plural(len(more), 'more file')} could not be loaded",
                f"In addition to the files mailed one by one: {_listed(more)}.",
                "Fix the files and drop them again. They are in the folder `failed` of the landing directory.",
                is_certain=True,
            )
        )
    return conditions


def dead_daemon(database: Database, silent_for: timedelta = HEARTBEAT_STALE) -> list[Condition]:
    """The Dagster daemon, if it has run here and is silent now, or its records are gone. Only somebody outside the
    daemon can notice."""
    if since := records_lost(database):
        return [
            Condition(
                "daemon_dead",
                "Dagster's database is gone",
                "Nothing is scored and no mail is sent by itself until Dagster is started again. It then begins with "
                "an empty one. Records of runs are lost, data and scores are not.",
                "Start Dagster again (`tutorq db migrate` makes its database, `tutorq up` does both).",
                (("code location started", f"{since:%Y-%m-%d %H:%M} UTC"),),
                is_certain=True,
            )
        ]
    try:
        with psycopg.connect(database.dagster_url, connect_timeout=5) as connection:
            row = connection.execute(
                """
                select now() - max("timestamp") at time zone 'utc' from daemon_heartbeats
                """
            ).fetchone()
    except psycopg.Error:
        return []  # no Dagster here yet, or no database: that is noticed elsewhere
    if row is None or row[0] is None or row[0] < silent_for:
        return []
    return [
        Condition(
            "daemon_dead",
            "the Dagster daemon is silent",
            "No scores and no mail until the daemon runs again.",
            "Restart the daemon (`tutorq up`, or the service `dagster-daemon`). Received data is safe.",
            (("last sign of life", f"{_minutes(row[0])} ago"),),
            is_certain=True,
        )
    ]


def records_lost(database: Database) -> datetime | None:
    """When a code location was started here last, if Dagster's database or its tables are gone since; None if they are
    there, cannot be looked at, or Dagster has not been started yet."""
    try:
        with psycopg.connect(database.dagster_url, connect_timeout=5) as connection:
            if connection.execute("select to_regclass('daemon_heartbeats')").fetchone() != (None,):
                return None
    except psycopg.OperationalError:
        if _is_there(database.dagster_url):
            return None
    try:
        with database.connect() as connection:
            row = connection.execute("select started_at from app.code_location").fetchone()
    except (TutorqError, psycopg.Error):
        return None
    started: datetime | None = row[0] if row else None
    return started and started.astimezone(UTC)


def _is_there(url: str) -> bool:
    """Whether the server has the database, or cannot be asked: what it says to who connects is in its own language."""
    parameters = postgres_urls.parse(url)
    there = "select exists (select from pg_database where datname = %s)"
    try:
        with psycopg.connect(
            postgres_urls.render({**parameters, "dbname": "postgres"}), connect_timeout=5
        ) as connection:
            return connection.execute(there, [parameters["dbname"]]).fetchone() == (True,)
    except psycopg.Error:
        return True


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:TOLD_ONE_BY_ONE])
    more = len(names) - TOLD_ONE_BY_ONE
    return f"{shown} and {more:,} more" if more > 0 else shown


def _older(moment: datetime | None, limit: timedelta, now: datetime) -> bool:
    return moment is not None and now - moment > limit


def _age(moment: datetime, now: datetime) -> str:
    return f"{_minutes(now - moment)} old"


def _minutes(duration: timedelta) -> str:
    minutes = int(duration.total_seconds() // 60)
    if minutes < 120:
        return plural(minutes, "minute")
    return plural(minutes // 60, "hour") if minutes < 48 * 60 else plural(minutes // (24 * 60), "day")
