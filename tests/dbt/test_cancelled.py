"""A dbt run that is cancelled stops as a whole: models that depend on nothing that was cut are not built either."""

from pathlib import Path
from typing import Any

import psycopg

from core.database import Database, DatabaseRole
from core.dbt_runner import build_events
from core.settings import Settings
from tests.conftest import PUBLISHED, Postgres

# dbt takes them by name, and has two threads: both wait for the rows of people, and nothing else has begun.
WAITING = {"dim_students", "dim_tutors"}
# Tables that read none of them, nor each other.
OTHERS = {"match_outcomes", "session_outcomes"}


def identities(connection: psycopg.Connection) -> dict[str, int]:
    """A table that is built is another one afterwards."""
    return dict(
        connection.execute(
            "select relname::text, oid::bigint from pg_class "
            "where relnamespace = 'marts'::regnamespace and relname = any(%s)",
            [list(OTHERS)],
        ).fetchall()
    )


def started(event: dict[str, Any]) -> str | None:
    return str(event["data"]["node_info"]["node_name"]) if event["info"]["name"] == "LogStartLine" else None


def test_a_cancelled_run_stops_models_that_depend_on_none(postgres: Postgres, tmp_path: Path) -> None:
    given = postgres.new_database(tmp_path, PUBLISHED)
    settings = Settings(home=tmp_path, database_url=given.url)
    database = Database(settings, DatabaseRole.TRANSFORM)
    selection = ["--exclude-resource-type", "test", "--select", *WAITING, *OTHERS]
    with given.connect() as blocker:
        before = identities(blocker)
        assert before.keys() == OTHERS
        # The others would wait, too, once the first two are cut: a run that cuts once would never end.
        blocker.execute("lock table raw.students, raw.tutors, intermediate.int_pairs in access exclusive mode")
        events = build_events(settings, database, selection)
        begun: set[str] = set()
        for event in events:
            if name := started(event):
                begun.add(name)
            if begun >= WAITING:
                break
        assert begun == WAITING
        # Returns although they still wait, and only when dbt has ended.
        events.close()  # type: ignore[attr-defined]
        assert identities(blocker) == before

    # Nothing is left that holds up the next one.
    names = {started(event) for event in build_events(settings, database, selection)}
    assert names >= WAITING | OTHERS
    with given.connect() as connection:
        assert not set(identities(connection).values()) & set(before.values())
