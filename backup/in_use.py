"""Whether anybody uses the installation that a restore would replace.

A look at the sessions of the moment is not enough: Dagster's processes connect for moments only. So the API holds a
session for as long as it runs; the daemon gives signs of life; and in an embedded installation every process of ours
holds a lock.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg

from core.database import Database
from core.errors import TutorqError
from core.home import only_one
from core.settings import Settings

# Of other logins, a plain owner is not told what kind of process they are; autovacuum is no login.
OTHERS = """
select count(*) from pg_stat_activity
where
    datname = current_database() and pid <> pg_backend_pid()
    and usesysid is not null and coalesce(backend_type, 'client backend') = 'client backend'
"""
# A connection that was closed just now, by this process, too, is there for a moment.
LEAVING_SECONDS = 3
SIGN_OF_LIFE = """
select max("timestamp"), extract(epoch from now() - max("timestamp") at time zone 'utc')::float from daemon_heartbeats
"""
# A daemon that runs gives one every half minute; one that was stopped leaves its last.
SILENT_SECONDS = 60
STOP = "stop `tutorq up` (or the API and Dagster) and close other sessions, then restore"


@contextmanager
def alone(settings: Settings, database: Database) -> Iterator[None]:
    """Keep `tutorq up` from starting meanwhile, where the database is that of the home.

    Raises:
        TutorqError: it runs, or another process of ours uses the embedded server.
    """
    if not database.is_embedded:
        yield
        return
    with only_one(settings.home, "; stop it, then restore"):
        if database.embedded.is_held_by_others():
            raise TutorqError(f"another tutorq process uses the embedded server; {STOP}")
        yield


def refuse_if_in_use(connection: psycopg.Connection, database: Database, tell: Callable[[str], None]) -> None:
    """Raises TutorqError if other programs are connected, or Dagster runs."""
    if others := _others(connection):
        raise TutorqError(
            f"{others} other {'program is' if others == 1 else 'programs are'} connected to this database; {STOP}"
        )
    # No Dagster here yet, or its database is not for this login: then the sessions have to do.
    with suppress(psycopg.Error), psycopg.connect(database.dagster_url, autocommit=True, connect_timeout=5) as dagster:
        if _others(dagster):
            raise TutorqError(f"Dagster is connected to its database; {STOP}")
        if not database.is_embedded and _daemon_lives(dagster, tell):
            raise TutorqError(f"the Dagster daemon is running; {STOP}")


def _others(connection: psycopg.Connection) -> int:
    """How many other sessions stay."""
    deadline = time.monotonic() + LEAVING_SECONDS
    while True:
        connection.execute("select pg_stat_clear_snapshot()")
        row = connection.execute(OTHERS).fetchone()
        others = int(row[0]) if row else 0
        if not others or time.monotonic() > deadline:
            return others
        time.sleep(0.1)


def _daemon_lives(dagster: psycopg.Connection, tell: Callable[[str], None]) -> bool:
    """A sign of life that is fresh may be the last one before a stop: whether another one follows tells."""
    first = None
    while True:
        row = dagster.execute(SIGN_OF_LIFE).fetchone()
        if row is None or row[0] is None or row[1] > SILENT_SECONDS:
            return False
        if first is not None and row[0] != first:
            return True
        if first is None:
            tell("whether the Dagster daemon is still running (up to a minute)")
        first = row[0]
        time.sleep(0.2)
