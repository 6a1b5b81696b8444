"""Troubles of the platform that a person should know of: one mail for each, not repeated while it lasts.

`observe` is told which troubles there are now. One that is still there a minute later is queued as an `alert`; one
that has been away for ten minutes is over, and is told again should it return.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import dict_row

from core.database import Database
from core.settings import Settings
from reports.outbox import Draft, enqueue
from reports.subjects import subject_of

CONFIRMED_AFTER = timedelta(minutes=1)
OVER_AFTER = timedelta(minutes=10)
OLDEST_CHANGE = timedelta(minutes=15)
OLDEST_MAIL = timedelta(minutes=15)
QUARANTINE_WITHIN = timedelta(hours=1)
QUARANTINE_ROWS = 20
HEARTBEAT_STALE = timedelta(minutes=2)

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
    (
        select min(created_at) from app.email_reports where state = 'queued' and attempts > 0
    ) as oldest_repeated_mail,
    (select min(claimed_at) from app.email_reports where state = 'sending') as oldest_claim,
    (select count(*) from app.email_reports where state = 'queued') as queued,
    (
        select count(*)
        from raw.quarantine
        cross join app.report_switches
        where
            report_switches.switch = 'alert'
            and first_seen_at > greatest(report_switches.on_since, now() - %(quarantine_within)s)
    ) as quarantined
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
        detail="Its steps were tried again and failed each time. Nothing is lost: what it should have done waits.",
        advice=f"Look at the run in Dagster: {address}/runs/{run_id}",
        figures=(("job", job), ("run", run_id[:8])),
        is_certain=True,
    )


def service_ended(name: str, log: str) -> Condition:
    """A service that ended by itself, whereupon `tutorq up` has stopped the others."""
    return Condition(
        name=f"service_ended:{name}",
        title=f"{name} has ended, and everything is stopped",
        detail="Nothing is scored, served or sent until it is started again. What has been taken in is kept.",
        advice=f"Look at the end of {log}, and start `tutorq up` again.",
        figures=(("service", name),),
        is_certain=True,
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
            "Sessions have arrived that are not in the scores yet.",
            "Is the Dagster daemon running, and are runs failing? Everything is kept and will be taken over.",
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
            "mail does not leave",
            "Mail has been waiting to be sent for too long.",
            "Look at column `error` of app.email_reports; is the provider reachable, and its key right?",
            (("oldest", _age(min(stuck), now)), ("mails waiting", f"{state['queued']:,}")),
        )
    if state["quarantined"] >= QUARANTINE_ROWS:
        yield Condition(
            "quarantine_growing",
            "many rows are refused",
            "Rows that arrive cannot be taken and are put into quarantine.",
            "Look at column `reason` of raw.quarantine; a source may have changed its format.",
            (("rows in the last hour", f"{state['quarantined']:,}"),),
        )
    yield from lost_models(connection)


def lost_models(connection: psycopg.Connection) -> Iterator[Condition]:
    """Champions whose files are gone or damaged, as whoever predicts has noted."""
    rows = connection.execute(
        "select kind, model_version, lost_at from ml.models where is_champion and lost_at is not null order by kind"
    ).fetchall()
    for kind, version, lost_at in rows:
        yield Condition(
            f"model_lost:{kind}",
            f"the {kind} model is lost",
            "Its files are gone from the model store, or damaged. Until it is back, the rules predict.",
            "Put the files back from a backup, or train another one: `tutorq train`, or the job `train` in Dagster.",
            (("model", version), ("noticed", f"{lost_at:%Y-%m-%d %H:%M} UTC")),
            is_certain=True,
        )


def dead_daemon(database: Database, silent_for: timedelta = HEARTBEAT_STALE) -> list[Condition]:
    """The Dagster daemon, if it has run here and is silent now. Only somebody outside the daemon can notice."""
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
            "Nothing is scored and no mail is sent by itself until it runs again.",
            "Start it again (`tutorq up`, or the service `dagster-daemon`). What has arrived is kept.",
            (("last sign of life", f"{_minutes(row[0])} ago"),),
            is_certain=True,
        )
    ]


def observe(settings: Settings, database: Database, others: Iterable[Condition] = ()) -> int:
    """Note the troubles of this moment, and queue an alert for each that is new. Returns the alerts queued.

    `others` are troubles that the database does not tell: runs that failed, a silent daemon.
    """
    with database.connect() as connection:
        present = [*troubles(connection, timedelta(minutes=settings.unprocessed_minutes)), *others]
        _note(connection, present)
        connection.execute(
            "delete from app.alert_conditions where last_seen_at < now() - %s or (alerted_at is null and "
            "condition <> all(%s))",
            [OVER_AFTER, [condition.name for condition in present]],
        )
        return _tell(connection, settings, present)


def report(settings: Settings, database: Database, condition: Condition) -> int:
    """Note a single trouble at once, without a judgement on others."""
    with database.connect() as connection:
        _note(connection, [condition])
        return _tell(connection, settings, [condition])


def _note(connection: psycopg.Connection, present: Iterable[Condition]) -> None:
    for condition in sorted(present, key=lambda each: each.name):
        connection.execute(
            "insert into app.alert_conditions (condition) values (%s) "
            "on conflict (condition) do update set last_seen_at = now()",
            [condition.name],
        )


def _tell(connection: psycopg.Connection, settings: Settings, present: Iterable[Condition]) -> int:
    queued = 0
    for condition in present:
        told = connection.execute(
            "update app.alert_conditions set alerted_at = now() "
            "where condition = %s and alerted_at is null and first_seen_at <= now() - %s returning first_seen_at",
            [condition.name, timedelta(0) if condition.is_certain else CONFIRMED_AFTER],
        ).fetchone()
        if told:
            queued += enqueue(connection, [draft(settings, condition, told[0])])
    return queued


def draft(settings: Settings, condition: Condition, since: datetime) -> Draft:
    payload: dict[str, Any] = {
        "condition": condition.name,
        "title": condition.title,
        "detail": condition.detail,
        "advice": condition.advice,
        "figures": [list(figure) for figure in condition.figures],
        "since": since.isoformat(),
    }
    topic = f"alert:{condition.name}:{since:%Y-%m-%dT%H:%M:%S.%f}"
    return Draft("alert", topic, settings.staff_addresses, subject_of("alert", payload), payload)


def _older(moment: datetime | None, limit: timedelta, now: datetime) -> bool:
    return moment is not None and now - moment > limit


def _age(moment: datetime, now: datetime) -> str:
    return f"{_minutes(now - moment)} old"


def _minutes(duration: timedelta) -> str:
    minutes = int(duration.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} minute{'' if minutes == 1 else 's'}"
    return f"{minutes // 60} hours" if minutes < 48 * 60 else f"{minutes // (24 * 60)} days"
