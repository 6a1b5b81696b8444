"""The database server, its schema, its size, and Dagster's database beside it; each function looks at one thing."""

import shutil
from datetime import timedelta

import psycopg

from cli.doctor.finding import Finding, in_words, row
from cli.doctor.logins import dagster_login
from cli.doctor.objects import RESTORED_IN_PART
from core.database import Database
from core.migrate import newer_schema, newest_version, schema_version
from core.server import server_problem
from core.settings import Settings
from core.words import plural

LARGEST_TABLES = 5
# A table where most rows are dead is read for nothing; small ones do not matter.
DEAD_ROWS = 1_000_000
RECORDS_LOST = (
    "Start Dagster again: `tutorq up`, or `tutorq db migrate` and its services. It begins with an empty database; "
    "records of runs are lost, data and scores are not."
)


def version(connection: psycopg.Connection, database: Database) -> Finding:
    kind = "embedded" if database.is_embedded else "external"
    found = f"{kind} Postgres {connection.info.server_version // 10_000}"
    if problem := server_problem(connection):
        return Finding("database", False, f"{found}: {problem}", "See external Postgres in docs/operations.md.")
    return Finding("database", True, found)


def schema(connection: psycopg.Connection, database: Database) -> Finding:
    engine = database.sqlalchemy_engine()
    with engine.connect() as alembic:
        present = schema_version(alembic)
    engine.dispose()
    if present is None and row(connection, "select to_regnamespace('raw') is not null") == (True,):
        return Finding("schema", False, "tables of tutorq, but no version of them", RESTORED_IN_PART)
    if newer := newer_schema(present):
        return Finding("schema", False, newer)
    newest = newest_version()
    ok = present == newest
    found = f"version {present}" if present else "not there yet"
    return Finding("schema", ok, found, None if ok else f"Run `tutorq db migrate` to update to {newest}.")


def size(connection: psycopg.Connection) -> Finding:
    size, sessions = row(
        connection,
        """
        select
            pg_size_pretty(pg_database_size(current_database())),
            (select greatest(reltuples, 0)::bigint from pg_class where oid = 'raw.sessions'::regclass)
        """,
    )
    return Finding("size of the database", True, f"{size}, about {sessions:,} sessions")


def tables(connection: psycopg.Connection) -> Finding:
    largest = connection.execute(
        """
        select format('%%s.%%s %%s', schemaname, relname, pg_size_pretty(pg_total_relation_size(relid)))
        from pg_stat_user_tables order by pg_total_relation_size(relid) desc limit %s
        """,
        [LARGEST_TABLES],
    ).fetchall()
    return Finding("largest tables", True, ", ".join(row[0] for row in largest))


def dead_rows(connection: psycopg.Connection) -> Finding:
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


def disk(connection: psycopg.Connection, settings: Settings) -> Finding:
    """A full refresh makes the large tables a second time before it drops the old ones."""
    (size,) = row(connection, "select pg_database_size(current_database())")
    free = shutil.disk_usage(settings.home).free
    ok = bool(free > size)
    advice = None if ok else "Free some space: a full refresh needs as much space again as the database."
    return Finding("disk", ok, f"{free / 2**30:,.1f} GiB free under TUTORQ_HOME", advice)


def dagster(database: Database, longest: timedelta) -> list[Finding]:
    """The daemon, and the records of runs, which are a database of their own."""
    try:
        with psycopg.connect(database.dagster_url, connect_timeout=3) as connection:
            age, runs, oldest, size = row(
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
        from reports.troubles import records_lost  # takes a moment to import

        if since := records_lost(database):
            found = f"its database or the tables in it are gone; it was started at {since:%Y-%m-%d %H:%M} UTC"
            return [Finding("Dagster's records", False, found, RECORDS_LOST)]
        return [Finding("Dagster daemon", True, "has never run here", "Start it with `tutorq up`.")]
    ok = age < longest
    advice = None if ok else "Start it with `tutorq up`; without it, no scheduled run starts."
    kept = plural(runs, "run") + (f", the oldest {in_words(oldest)} old" if oldest is not None else "") + f"; {size}"
    return [
        Finding("Dagster daemon", ok, f"last heard of {in_words(age)} ago", advice),
        Finding("Dagster's records", True, kept, None),
    ]
