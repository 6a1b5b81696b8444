"""`tutorq doctor`: look at an installation and say what is wrong and what to do."""

import os
import shutil
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import ValidationError

from cli.doctor_access import keys_in_use, undeclared_proxies
from cli.doctor_files import open_files
from cli.doctor_finding import Finding
from cli.doctor_logins import dagster_login, logins
from cli.doctor_objects import RESTORED_IN_PART, objects
from core.database import Database, DatabaseRole
from core.dbt_runner import MANIFEST_PATH
from core.errors import TutorqError
from core.migrate import MIGRATIONS_DIR
from core.server import server_problem
from core.settings import Settings, settings_problem

# Mail that is due waits for seconds, pairs of changed people for a minute.
MAIL_PATIENCE = timedelta(minutes=15)
PREDICTION_PATIENCE = timedelta(hours=1)
LARGEST_TABLES = 5
# A table where most rows are dead is read for nothing; small ones do not matter.
DEAD_ROWS = 1_000_000
# Alerts (reports/troubles.py) of what is looked at here anyway.
WITH_A_LINE = {"unprocessed_changes", "outbox_stuck", "model_lost", "no_new_data", "daemon_dead"}


def examine() -> list[Finding]:
    """Look at everything that can be looked at; what depends on something broken is left out."""
    try:
        settings = Settings()
    except ValidationError as error:
        return [Finding("settings", False, settings_problem(error), "Correct it in the environment or in .env.")]
    findings = [
        Finding("Python", sys.version_info >= (3, 11), sys.version.split()[0], None),
        _home(settings),
        _files(settings),
        _manifest(),
    ]
    database = Database(settings)
    try:
        with database.connect() as connection:
            findings.append(_server(connection, database))
            findings.append(_schema(connection, database))
            if findings[-1].ok:
                findings.append(objects(connection))
                # What follows reads tables, which a database that was restored in part may not have.
                with suppress(psycopg.errors.UndefinedTable):
                    roles = logins(connection, database)
                    findings.append(roles)
                    findings += [keys_in_use(connection), undeclared_proxies(connection, settings)]
                    findings.append(_waiting(connection, timedelta(minutes=settings.unprocessed_minutes)))
                    findings.append(_quarantine(connection))
                    findings.append(_arrivals(connection, settings))
                    if roles.ok:
                        findings.append(_publication(database))
                    findings.append(_models(connection, settings, database))
                    findings += [check(connection) for check in (_predictions, _mail, _size, _tables, _dead_rows)]
                    if database.is_embedded:
                        findings.append(_disk(connection, settings))
                    findings += _troubles(connection)
        findings += _dagster(database, timedelta(seconds=settings.daemon_silent_seconds))
    except TutorqError as error:
        advice = "Check TUTORQ_DATABASE_URL." if not database.is_embedded else "Look at its log under TUTORQ_HOME."
        findings.append(Finding("database", False, str(error), advice))
    return findings


def _home(settings: Settings) -> Finding:
    home = settings.home
    existing = next(path for path in (home, *home.parents) if path.exists())
    ok = os.access(existing, os.W_OK)
    return Finding("TUTORQ_HOME", ok, str(home), None if ok else "This user cannot write there; choose another.")


def _files(settings: Settings) -> Finding:
    found, commands = open_files(settings)
    advice = f"They hold names and keys. Close them: {commands}" if commands else None
    return Finding("files", commands is None, found, advice)


def _manifest() -> Finding:
    ok = MANIFEST_PATH.exists()
    found = "present" if ok else "missing"
    return Finding("dbt manifest", ok, found, None if ok else "`make install` makes it; Dagster needs it to start.")


def _server(connection: psycopg.Connection, database: Database) -> Finding:
    kind = "embedded" if database.is_embedded else "external"
    found = f"{kind} Postgres {connection.info.server_version // 10_000}"
    if problem := server_problem(connection):
        return Finding("database", False, f"{found}: {problem}", "See external Postgres in docs/operations.md.")
    return Finding("database", True, found)


def _schema(connection: psycopg.Connection, database: Database) -> Finding:
    newest = ScriptDirectory(str(MIGRATIONS_DIR)).get_current_head()
    engine = database.sqlalchemy_engine()
    with engine.connect() as alembic:
        present = MigrationContext.configure(alembic, opts={"version_table_schema": "app"}).get_current_revision()
    engine.dispose()
    if present is None and _row(connection, "select to_regnamespace('raw') is not null") == (True,):
        return Finding("schema", False, "tables of tutorq, but no version of them", RESTORED_IN_PART)
    ok = present == newest
    found = f"version {present}" if present else "not there yet"
    return Finding("schema", ok, found, None if ok else f"`tutorq db migrate` brings it to {newest}.")


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


def _arrivals(connection: psycopg.Connection, settings: Settings) -> Finding:
    """Whether sessions keep coming, by file, post or otherwise; historic data need not."""
    what, hours = "newest sessions", settings.silent_data_hours
    if settings.as_of != "now" or not hours:
        return Finding(what, True, "historic data" if hours else "TUTORQ_SILENT_DATA_HOURS is 0: nobody looks")
    from reports.troubles import newest_arrival

    newest = newest_arrival(connection)
    if newest is None:
        return Finding(what, True, "none yet")
    age = datetime.now(UTC) - newest
    if age < timedelta(hours=hours):
        return Finding(what, True, f"arrived {_words(age)} ago")
    advice = "Does the export run, and does the marketplace still post? TUTORQ_SILENT_DATA_HOURS sets the limit."
    return Finding(what, False, f"arrived {_words(age)} ago, by file or post", advice)


def _troubles(connection: psycopg.Connection) -> list[Finding]:
    """What alerts have told and is not over, but for what has a line of its own; and files that failed, told or not."""
    from reports.conditions import lasting
    from reports.troubles import failed_files

    seen = {each.name: Finding("trouble", False, each.title, each.advice) for each in failed_files(connection)}
    for name, title, advice, since in lasting(connection):
        if name.partition(":")[0] not in WITH_A_LINE:
            seen.setdefault(name, Finding("trouble", False, f"{title}, since {since:%Y-%m-%d %H:%M} UTC", advice))
    return [*seen.values()] or [Finding("troubles", True, "none that lasts")]


def _publication(database: Database) -> Finding:
    """Read as the role that marts belong to: what they call, if they are views, has the rights of whoever reads."""
    none = Finding("publication", False, "none yet", "`tutorq load DIR` and `tutorq score` make the first one.")
    try:
        with database.as_role(DatabaseRole.TRANSFORM).connect() as connection:
            if _row(connection, "select to_regclass('marts.publication')") == (None,):
                return none
            generation, as_of, age = _row(
                connection, "select generation, as_of::text, now() - published_at from marts.publication"
            )
    except psycopg.errors.InsufficientPrivilege as error:
        advice = "It is not tutorq_transform's: see `permission denied` in docs/operations.md."
        return Finding("publication", False, str(error.diag.message_primary), advice)
    ok = age < timedelta(hours=26)
    found = f"generation {generation}, as of {as_of}, {_words(age)} old"
    return Finding("publication", ok, found, None if ok else "`tutorq score` publishes anew.")


def _models(connection: psycopg.Connection, settings: Settings, database: Database) -> Finding:
    """Whether the champions can be read, by this process at least."""
    kinds = [kind for (kind,) in connection.execute("select kind from ml.models where is_champion order by 1")]
    if not kinds:
        return Finding("models", True, "none promoted; the rules predict")
    from ml.registry import champion  # takes a second to import

    try:
        found = {kind: champion(settings, database, kind) for kind in kinds}
    except TutorqError as error:
        return Finding("models", False, str(error), "Check TUTORQ_MODEL_STORE, and the rights on it.")
    if lost := [each.lost for each in found.values() if each.lost]:
        advice = "Put the files back from a backup, or run `tutorq train` (or the job `train` in Dagster)."
        return Finding("models", False, "; ".join(lost), advice)
    return Finding("models", True, ", ".join(each.model.version for each in found.values()))


def _predictions(connection: psycopg.Connection) -> Finding:
    people, age = _row(connection, "select count(distinct person_id), now() - min(noted_at) from ml.touched_people")
    ok = age is None or age < PREDICTION_PATIENCE
    found = f"{people:,} changed {'person' if people == 1 else 'people'}" + (
        f", the first {_words(age)} ago" if age is not None else ""
    )
    advice = None if ok else "Is the Dagster daemon running? `tutorq predict` predicts their pairs by hand."
    return Finding("waiting to be predicted", ok, found, advice)


def _mail(connection: psycopg.Connection) -> Finding:
    due, age, failed = _row(
        connection,
        """
        select
            count(*) filter (where state = 'queued' and next_attempt_at <= now()),
            now() - min(next_attempt_at) filter (where state = 'queued'),
            count(*) filter (where state in ('failed', 'unknown') and created_at > now() - interval '7 days')
        from app.email_reports
        """,
    )
    ok = not due or age < MAIL_PATIENCE
    found = f"{due:,} due" + (f", the first for {_words(age)}" if due else "")
    if failed:
        found += f"; {failed:,} of the last 7 days failed, or nobody knows"
    advice = None if ok else "Is the Dagster daemon running? `tutorq reports send` sends what is due by hand."
    return Finding("mail", ok, found, advice or ("See `error` in app.email_reports." if failed else None))


def _size(connection: psycopg.Connection) -> Finding:
    size, sessions = _row(
        connection,
        """
        select
            pg_size_pretty(pg_database_size(current_database())),
            (select greatest(reltuples, 0)::bigint from pg_class where oid = 'raw.sessions'::regclass)
        """,
    )
    return Finding("size of the database", True, f"{size}, about {sessions:,} sessions")


def _tables(connection: psycopg.Connection) -> Finding:
    largest = connection.execute(
        """
        select format('%%s.%%s %%s', schemaname, relname, pg_size_pretty(pg_total_relation_size(relid)))
        from pg_stat_user_tables order by pg_total_relation_size(relid) desc limit %s
        """,
        [LARGEST_TABLES],
    ).fetchall()
    return Finding("largest tables", True, ", ".join(row[0] for row in largest))


def _dead_rows(connection: psycopg.Connection) -> Finding:
    tables = connection.execute(
        """
        select schemaname || '.' || relname, n_dead_tup from pg_stat_user_tables
        where n_dead_tup > greatest(n_live_tup, %s) order by n_dead_tup desc
        """,
        [DEAD_ROWS],
    ).fetchall()
    if not tables:
        return Finding("dead rows", True, "few; autovacuum keeps up")
    found = ", ".join(f"{name} {rows:,}" for name, rows in tables)
    advice = f"`tutorq db shell -c 'vacuum analyze {tables[0][0]}'`; is autovacuum on, or an old transaction open?"
    return Finding("dead rows", False, found, advice)


def _disk(connection: psycopg.Connection, settings: Settings) -> Finding:
    """A full refresh makes the large tables a second time before it drops the old ones."""
    (size,) = _row(connection, "select pg_database_size(current_database())")
    free = shutil.disk_usage(settings.home).free
    ok = bool(free > size)
    advice = None if ok else "Make room: a full refresh needs as much again as the database has."
    return Finding("disk", ok, f"{free / 2**30:,.1f} GiB free under TUTORQ_HOME", advice)


def _dagster(database: Database, longest: timedelta) -> list[Finding]:
    """The daemon, and the records of runs, which are a database of their own."""
    try:
        with psycopg.connect(database.dagster_url, connect_timeout=3) as connection:
            age, runs, oldest, size = _row(
                connection,
                """
                select
                    (select now() at time zone 'utc' - max(timestamp) from daemon_heartbeats),
                    (select count(*) from runs),
                    (select now() at time zone 'utc' - min(create_timestamp) from runs),
                    pg_size_pretty(pg_database_size(current_database()))
                """,
            )
    except psycopg.OperationalError as error:
        if finding := dagster_login(error):
            return [finding]
        age = None
    except psycopg.errors.UndefinedTable:
        age = None
    if age is None:
        return [Finding("Dagster daemon", True, "has never run here", "`tutorq up` starts it.")]
    ok = age < longest
    advice = None if ok else "`tutorq up` starts it; without it nothing runs by itself."
    kept = f"{runs:,} runs" + (f", the oldest {_words(oldest)} old" if oldest is not None else "") + f"; {size}"
    return [
        Finding("Dagster daemon", ok, f"last heard of {_words(age)} ago", advice),
        Finding("Dagster's records", True, kept, None),
    ]


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
