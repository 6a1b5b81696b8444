"""`tutorq doctor`: look at an installation and say what is wrong and what to do."""

import os
import sys
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import psycopg
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import ValidationError
from sqlalchemy import create_engine

from core.database import Database, DatabaseRole
from core.errors import TutorqError
from core.migrate import MIGRATIONS_DIR
from core.settings import Settings, settings_problem
from orchestration.transform import MANIFEST_PATH

OLDEST_SERVER = 18


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `advice` says what to do if it is not well."""

    what: str
    ok: bool
    found: str
    advice: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def examine() -> list[Finding]:
    """Look at everything that can be looked at; what depends on something broken is left out."""
    try:
        settings = Settings()
    except ValidationError as error:
        return [Finding("settings", False, settings_problem(error), "Correct it in the environment or in .env.")]
    findings = [
        Finding("Python", sys.version_info >= (3, 11), sys.version.split()[0], None),
        _home(settings),
        _manifest(),
    ]
    database = Database(settings)
    try:
        with database.connect() as connection:
            findings.append(_server(connection, database))
            findings.append(_schema(database))
            if findings[-1].ok:
                findings.append(_roles(database))
                findings.append(_waiting(connection, timedelta(minutes=settings.unprocessed_minutes)))
                findings += [check(connection) for check in (_quarantine, _publication, _size)]
        findings.append(_daemon(database, timedelta(seconds=settings.daemon_silent_seconds)))
    except TutorqError as error:
        advice = "Check TUTORQ_DATABASE_URL." if not database.is_embedded else "Look at its log under TUTORQ_HOME."
        findings.append(Finding("database", False, str(error), advice))
    return findings


def _home(settings: Settings) -> Finding:
    home = settings.home
    existing = next(path for path in (home, *home.parents) if path.exists())
    ok = os.access(existing, os.W_OK)
    return Finding("TUTORQ_HOME", ok, str(home), None if ok else "This user cannot write there; choose another.")


def _manifest() -> Finding:
    ok = MANIFEST_PATH.exists()
    found = "present" if ok else "missing"
    return Finding("dbt manifest", ok, found, None if ok else "`make install` makes it; Dagster needs it to start.")


def _server(connection: psycopg.Connection, database: Database) -> Finding:
    version = connection.info.server_version // 10_000
    ok = version >= OLDEST_SERVER
    kind = "embedded" if database.is_embedded else "external"
    advice = None if ok else f"tutorq is made for Postgres {OLDEST_SERVER}."
    return Finding("database", ok, f"{kind} Postgres {version}", advice)


def _schema(database: Database) -> Finding:
    newest = ScriptDirectory(str(MIGRATIONS_DIR)).get_current_head()
    engine = create_engine(database.sqlalchemy_url())
    with engine.connect() as connection:
        present = MigrationContext.configure(connection, opts={"version_table_schema": "app"}).get_current_revision()
    engine.dispose()
    ok = present == newest
    found = f"version {present}" if present else "not there yet"
    return Finding("schema", ok, found, None if ok else f"`tutorq db migrate` brings it to {newest}.")


def _roles(database: Database) -> Finding:
    """Whether every kind of process gets in, as its role."""
    try:
        for role in DatabaseRole:
            with database.as_role(role).connect():
                pass
    except TutorqError as error:
        advice = "See the roles in docs/operations.md; `tutorq db migrate --logins` makes missing logins."
        return Finding("roles", False, str(error), advice)
    own = ", ".join(database.own_logins) or "none"
    return Finding("roles", True, f"every process can connect as its own; with a login of its own: {own}")


def _waiting(connection: psycopg.Connection, longest: timedelta) -> Finding:
    rows, age = _row(connection, "select count(*), now() - min(changed_at) from raw.changes")
    ok = age is None or age < longest
    found = f"{rows:,} rows" + (f", the oldest for {_words(age)}" if age is not None else "")
    advice = None if ok else "Is `tutorq up` (or the Dagster daemon) running? `tutorq score` takes them in by hand."
    return Finding("waiting to be scored", ok, found, advice)


def _quarantine(connection: psycopg.Connection) -> Finding:
    rows, recent = _row(
        connection,
        "select count(*), count(*) filter (where last_seen_at > now() - interval '1 day') from raw.quarantine",
    )
    advice = "See raw.quarantine: each row has its file, line and reason." if recent else None
    return Finding("quarantine", True, f"{rows:,} rows, {recent:,} of them seen within a day", advice)


def _publication(connection: psycopg.Connection) -> Finding:
    (exists,) = _row(connection, "select to_regclass('marts.publication') is not null")
    if not exists:
        return Finding("publication", False, "none yet", "`tutorq load DIR` and `tutorq score` make the first one.")
    generation, as_of, age = _row(
        connection, "select generation, as_of::text, now() - published_at from marts.publication"
    )
    ok = age < timedelta(hours=26)
    found = f"generation {generation}, as of {as_of}, {_words(age)} old"
    return Finding("publication", ok, found, None if ok else "`tutorq score` publishes anew.")


def _size(connection: psycopg.Connection) -> Finding:
    (size,) = _row(connection, "select pg_size_pretty(pg_database_size(current_database()))")
    largest = connection.execute(
        """
        select format('%s.%s %s', schemaname, relname, pg_size_pretty(pg_total_relation_size(relid)))
        from pg_stat_user_tables order by pg_total_relation_size(relid) desc limit 3
        """
    ).fetchall()
    return Finding("size", True, f"{size}; largest: " + ", ".join(row[0] for row in largest))


def _daemon(database: Database, longest: timedelta) -> Finding:
    try:
        with psycopg.connect(database.dagster_url, connect_timeout=3) as connection:
            (age,) = _row(
                connection,
                "select now() at time zone 'utc' - max(timestamp) from daemon_heartbeats",
            )
    except psycopg.Error:
        age = None
    if age is None:
        return Finding("Dagster daemon", True, "has never run here", "`tutorq up` starts it.")
    ok = age < longest
    advice = None if ok else "`tutorq up` starts it; without it nothing runs by itself."
    return Finding("Dagster daemon", ok, f"last heard of {_words(age)} ago", advice)


def _row(connection: psycopg.Connection, query: str) -> tuple[Any, ...]:
    row = connection.execute(query).fetchone()
    if row is None:
        raise TutorqError(f"no answer to: {query}")
    return row


def _words(age: timedelta) -> str:
    seconds = int(age.total_seconds())
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            count = seconds // length
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds} seconds"
