"""The ledger of events: who reads from snapshot to snapshot gets each committed event once, in any interleaving."""

import random
from collections import Counter
from contextlib import ExitStack
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from core.database import Database, DatabaseRole
from core.events import CHANNEL, EventKind

WRITE = "insert into app.events (kind, payload) values ('tutors.refreshed', %s) returning event_id"
# One statement, so that the snapshot is that of what is read.
READ = "select pg_current_snapshot()::text, array(select event_id from app.events_since(%s::text::pg_snapshot))"
NOW = "select pg_current_snapshot()::text"
FORGOTTEN = "select xact_id::text::bigint from app.forgotten_events"


def write(connection: psycopg.Connection) -> UUID:
    row = connection.execute(WRITE, ["{}"]).fetchone()
    assert row is not None
    return row[0]  # type: ignore[no-any-return]


def read(connection: psycopg.Connection, seen: str) -> tuple[str, list[UUID]]:
    row = connection.execute(READ, [seen]).fetchone()
    assert row is not None
    return row


def snapshot(connection: psycopg.Connection) -> str:
    row = connection.execute(NOW).fetchone()
    assert row is not None
    return str(row[0])


class Writer:
    """One of several transactions at a time, with savepoints."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self.written: list[UUID] = []

    @property
    def is_open(self) -> bool:
        return self._connection.info.transaction_status is not psycopg.pq.TransactionStatus.IDLE

    def do_something(self, chance: random.Random) -> list[UUID]:
        """Write, in a savepoint perhaps, or end the transaction; what has been committed."""
        if not self.is_open or chance.random() < 0.6:
            self._write(chance)
            return []
        if chance.random() < 0.25:
            self._connection.rollback()
            self.written.clear()
            return []
        return self.commit()

    def commit(self) -> list[UUID]:
        self._connection.commit()
        committed, self.written = self.written, []
        return committed

    def _write(self, chance: random.Random) -> None:
        if chance.random() < 0.7:
            self.written.append(write(self._connection))
            return
        self._connection.execute("select")  # in a transaction already, the next one is a savepoint
        with self._connection.transaction() as savepoint:
            event = write(self._connection)
            if chance.random() < 0.5:
                raise psycopg.Rollback(savepoint)
            self.written.append(event)


@pytest.mark.parametrize("seed", range(8))
def test_interleaved_transactions_lose_and_repeat_nothing(database: Database, seed: int) -> None:
    chance = random.Random(seed)
    with ExitStack() as stack:
        reader = stack.enter_context(database.connect(autocommit=True))
        writers = [Writer(stack.enter_context(database.connect())) for _ in range(6)]
        committed: list[UUID] = []
        # Readers who look at different times, one of them rarely: as if its stream had been cut.
        cursors = [snapshot(reader)] * 3
        got: list[Counter[UUID]] = [Counter(), Counter(), Counter()]
        for _ in range(300):
            if chance.random() < 0.7:
                committed += chance.choice(writers).do_something(chance)
            else:
                at = chance.choice([0, 0, 0, 1, 1, 2])
                cursors[at], events = read(reader, cursors[at])
                got[at].update(events)
        for writer in writers:
            if writer.is_open:
                committed += writer.commit()
        assert len(committed) > 20
        for at, cursor in enumerate(cursors):
            got[at].update(read(reader, cursor)[1])
            assert got[at] == Counter(committed)


def test_what_commits_late_is_not_lost(database: Database) -> None:
    """The case in which a serial number loses: the first one to write is the last one to commit."""
    with database.connect() as early, database.connect() as late, database.connect(autocommit=True) as reader:
        begin = snapshot(reader)
        first = write(early)
        second = write(late)
        late.commit()
        cursor, events = read(reader, begin)
        assert events == [second]
        early.commit()
        cursor, events = read(reader, cursor)
        assert events == [first]
        assert read(reader, cursor)[1] == []


def test_a_transaction_notifies_once(database: Database) -> None:
    with database.connect() as writer, database.connect(autocommit=True) as listener:
        listener.execute(sql.SQL("listen {}").format(sql.Identifier(CHANNEL)))
        for _ in range(3):
            write(writer)
        writer.commit()
        assert [each.payload for each in listener.notifies(timeout=10, stop_after=1)] == [""]
        write(writer)
        writer.rollback()
        assert list(listener.notifies(timeout=0.2)) == []


def test_old_events_are_forgotten_and_it_is_noted_up_to_where(database: Database) -> None:
    ages = [
        ("tutors.refreshed", "59 minutes", True),
        ("tutors.refreshed", "61 minutes", False),
        ("session.alert", "71 hours", True),
        ("publication.done", "73 hours", False),
    ]
    with database.connect(autocommit=True) as connection:
        cursor = snapshot(connection)
        newest = {}
        for kind, age, is_kept in ages:
            row = connection.execute(
                "insert into app.events (kind, created_at) values (%s, now() - %s::interval) "
                "returning xact_id::text::bigint",
                [kind, age],
            ).fetchone()
            assert row is not None
            newest[is_kept] = row[0]
    with database.as_role(DatabaseRole.API).connect(autocommit=True) as connection:
        assert connection.execute("select app.forget_events()").fetchone() == (2,)
        assert len(read(connection, cursor)[1]) == 2
        assert connection.execute(FORGOTTEN).fetchone() == (newest[False],)
        assert connection.execute("select app.forget_events()").fetchone() == (0,)
        assert connection.execute(FORGOTTEN).fetchone() == (newest[False],)


def test_restored_events_of_another_history_are_forgotten(database: Database) -> None:
    """A transaction number from ahead of this server's would turn up as news some day."""
    with database.connect(autocommit=True) as connection:
        connection.execute("insert into app.events (kind, xact_id) values ('publication.done', '9000000000')")
        connection.execute("update app.forgotten_events set xact_id = '9000000000'")
        write(connection)
        connection.execute("update app.events set created_at = now() - interval '2 hours'")
        assert connection.execute("select app.forget_events()").fetchone() == (2,)
        row = connection.execute(FORGOTTEN).fetchone()
        assert row is not None
        assert 0 < row[0] < 9_000_000_000


def test_a_restored_database_has_another_history(database: Database) -> None:
    history = "select app.events_history()"
    with database.as_role(DatabaseRole.API).connect(autocommit=True) as connection:
        before = connection.execute(history).fetchone()
        assert connection.execute(history).fetchone() == before
    with database.connect(autocommit=True) as connection:
        # As pg_restore makes it.
        connection.execute("create table app.copied (like app.events including all)")
        connection.execute("drop table app.events cascade")
        connection.execute("alter table app.copied rename to events")
    with database.as_role(DatabaseRole.API).connect(autocommit=True) as connection:
        assert connection.execute(history).fetchone() != before


def test_what_happens_to_cases_is_told_but_for_private_notes(database: Database) -> None:
    with database.connect(autocommit=True) as connection:
        connection.execute(
            """
            insert into raw.tutors (tutor_id, external_id) values ('00000000-0000-0000-0000-00000000000a', 'ann');
            insert into app.cases (tutor_id, opened_by, opened_on)
            values ('00000000-0000-0000-0000-00000000000a', 'tutorq', '2026-01-31')
            """
        )
    with database.as_role(DatabaseRole.API).connect() as connection:
        connection.execute(
            """
            insert into app.case_events (case_id, kind, actor, person_id, is_private, version, details)
            select case_id, kind, 'Bob', 7, is_private, 3, '{"text": "Hortensia is ill"}'
            from app.cases cross join (
                values ('note', false), ('note', true), ('changed', false)
            ) as happened (kind, is_private)
            """
        )
        events = connection.execute(
            "select kind, tutor_id::text, payload from app.events order by payload ->> 'what'"
        ).fetchall()
        assert [(kind, tutor[-1], payload["what"]) for kind, tutor, payload in events] == [
            (EventKind.CASE_CHANGED, "a", "changed"),
            (EventKind.CASE_CHANGED, "a", "note"),
        ]
        payload = events[0][2]
        assert (payload["version"], payload["person_id"], payload["tutor_external_id"]) == (3, 7, "ann")
        assert "Hortensia" not in str(events)
        assert "Bob" not in str(events)


def test_the_kinds_are_those_of_the_table(database: Database) -> None:
    with database.connect(autocommit=True) as connection:
        for kind in EventKind:
            connection.execute("insert into app.events (kind) values (%s)", [kind])
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("insert into app.events (kind) values ('tutor.gone')")


@pytest.mark.parametrize("role", [DatabaseRole.API, DatabaseRole.INGEST])
def test_events_cannot_be_made_up(database: Database, role: DatabaseRole) -> None:
    with database.as_role(role).connect() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        write(connection)
