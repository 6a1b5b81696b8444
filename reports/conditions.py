"""Troubles of the platform (`troubles.py`), of which a person is told: one mail for each, not repeated while it lasts.

`observe` is told which troubles there are now. One that is still there a minute later is queued as an `alert`; one
that has been away for ten minutes is over, and is told again should it return.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import psycopg

from core.database import Database
from core.settings import Settings
from reports.outbox import Draft, enqueue
from reports.subjects import subject_of
from reports.troubles import SERVICE_ENDED, Condition, troubles

CONFIRMED_AFTER = timedelta(minutes=1)
OVER_AFTER = timedelta(minutes=10)


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


def lasting(connection: psycopg.Connection) -> list[tuple[str, str, str, datetime]]:
    """Troubles that have been told and are not over: name, title, advice, and since when."""
    return connection.execute(
        "select condition, coalesce(title, condition), coalesce(advice, ''), first_seen_at from app.alert_conditions "
        "where alerted_at is not null and over_at is null and last_seen_at > now() - %s order by first_seen_at",
        [OVER_AFTER],
    ).fetchall()


def services_run_again(database: Database) -> None:
    """Services that had ended have been started: that is over at once, though not yet forgotten."""
    with database.connect() as connection:
        connection.execute(
            "update app.alert_conditions set over_at = now() where starts_with(condition, %s) and over_at is null",
            [SERVICE_ENDED],
        )


def report(settings: Settings, database: Database, condition: Condition) -> int:
    """Note a single trouble at once, without a judgement on others."""
    with database.connect() as connection:
        _note(connection, [condition])
        return _tell(connection, settings, [condition])


def _note(connection: psycopg.Connection, present: Iterable[Condition]) -> None:
    for condition in sorted(present, key=lambda each: each.name):
        connection.execute(
            "insert into app.alert_conditions (condition, title, advice) values (%s, %s, %s) "
            "on conflict (condition) do update "
            "set (title, advice, last_seen_at, over_at) = (excluded.title, excluded.advice, now(), null)",
            [condition.name, condition.title, condition.advice],
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
