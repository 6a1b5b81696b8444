"""Erase a person: rows, words about them, files; and note hashes of their ids, so that sources do not bring them back.

In this order (decision 86): the hashes are committed first, so that no new row of theirs comes in; writers that began
before are waited for; then everything in the database goes in one transaction, and their files before and after it.
Whatever is cut off in between, erasing again completes it.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import sql

from core import audit, locks
from core.audit import Action, Entry
from core.database import Database, free_locks_of_vanished_hosts
from core.erased import ErasedIds, erased_ids
from core.errors import TutorqError
from core.sealing import text_sealer
from core.settings import Settings
from ingest.contract import ENTITIES
from ml.pairs import BUCKETS
from persons.files import erase_files, files_naming
from persons.identity import ERASED, Identity, with_id
from persons.registry import DELETED_IF_NAMED, SCHEMAS, Fate, Holds, Table, holds_of, renumbered, stored_tables
from persons.sealed import SealedTexts

WRITERS_SECONDS = 600
# Of who reads people, and writes predictions of them or mail about them after.
READERS = (
    *(locks.PREDICTIONS, locks.MAIL_SENDER, locks.CHAT_SENDER, locks.WEBHOOK_SENDER, locks.MAIL_QUEUE),
    locks.EVENT_QUEUE,
)
# Writers that read what had been erased before the connection's hashes were committed.
WRITERS = """
select virtualtransaction from pg_locks
where
    locktype = 'advisory' and objsubid = 1 and classid = %s and objid = %s and granted
    and database = (select oid from pg_database where datname = current_database())
"""
NOTE = """
insert into raw.erased_ids (id_hash, kind, person_hash) values (%s, %s, %s) on conflict (id_hash) do nothing
"""
# Waits until it is settled, so that the job completes what is cut off in between.
NUMBER = """
insert into app.erasures (kind, person_id, delivered, asked_by) values (%s, %s, %s, %s)
on conflict (kind, person_id) where done_at is null
do update set delivered = coalesce(erasures.delivered, excluded.delivered)
returning erasure_id
"""
SETTLE = """
update app.erasures set person_id = null, delivered = null, done_at = now(), counts = %s where erasure_id = %s
"""
LOCK = {
    "tutor": "select from raw.tutors where tutor_id = %s for update",
    "student": "select from raw.students where student_id = %s for update",
}
# As live writers take them, before rows that runs change, too.
LIVE_LOCKS = "select marts.share_gates(), marts.lock_tutors(%s)"
TOUCHED_TUTORS = "select array_agg(distinct tutor_id) from raw.sessions where session_id = any(%s)"
HAS_MARTS = (
    "select to_regprocedure('marts.lock_tutors(uuid[])') is not null and to_regclass('marts.publication') is not null"
)
# A student without a name takes the place of an erased one, in their sessions alone.
ADD_STUB = "insert into raw.students (student_id, is_stub) values (%s, true)"
# Planned lessons of a student are no fact yet, and nothing would ever settle them: their rows are refused.
DELETE_PLANNED = """
delete from raw.sessions as planned
where
    student_id = %s and status = 'scheduled'
    and not exists (select from raw.reschedules as moved where moved.session_id = planned.session_id)
"""
HAS_HISTORIES = (
    "select to_regclass('intermediate.int_session_facts') is not null"
    " and to_regclass('intermediate.touched_histories') is not null"
)
# Histories of their students with other tutors count sessions with this one: they are made anew, from the first on.
TOUCH_HISTORIES = """
insert into intermediate.touched_histories (tutor_id, student_id, since)
select '00000000-0000-0000-0000-000000000000', student_id, min(counted_on)
from intermediate.int_session_facts where tutor_id = %s group by student_id
"""
# That there is something to be built: what else would tell has been erased.
WAKE = "insert into raw.changes (entity, entity_id) values (%s, gen_random_uuid())"
# Of Dagster's own database.
TEXT_COLUMNS = """
select table_name, column_name from information_schema.columns inner join information_schema.tables
    using (table_catalog, table_schema, table_name)
where table_schema = current_schema() and table_type = 'BASE TABLE' and data_type in ('text', 'character varying')
"""
ALLOW = "delete from raw.erased_ids where person_hash = %s"
# A session of a student stays with its id, and so do entries about it.


@dataclass(frozen=True)
class Erased:
    """What an erasure has done: rows and files by table or folder, and what still names the person: nothing."""

    erasure_id: int
    counts: dict[str, int] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)


def erase(
    settings: Settings,
    database: Database,
    identity: Identity,
    *,
    actor: str | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Erased:
    """Erase a tutor or a student, as the owner of the database. Again changes nothing more.

    Sessions of a student stay as what their tutors did, of a student whom nobody can name; those of a tutor go. The
    marts follow with the next run.

    Raises:
        TutorqError: there is no key to hash ids with, or a writer goes on for too long.
    """
    erased = erased_ids(settings, make=True)
    texts = SealedTexts(text_sealer(settings))
    with database.connect() as connection:
        _note_hashes(connection, erased, identity)
    with _alone(database, tell) as keeper:
        _wait_for_writers(keeper, tell)
        with database.connect() as connection:
            hashes = erased.read_all(connection)
        tell("files")
        counts = Counter(erase_files(settings, identity, erased, hashes))
        tell("database")
        with database.connect() as connection:
            identity = _with_late_sessions(connection, erased, identity)
            counts.update(erase_rows(connection, identity, texts, by=actor or audit.operator()))
            erasure_id = _record(connection, identity, actor or audit.operator())
        counts.update(erase_records(database, identity))
        # What was written while the rows were still there: mail, say.
        counts.update(erase_files(settings, identity, erased, frozenset()))
        tell("looking for what is left")
        named = [str(path) for path in files_naming(settings, identity)]
        with database.connect() as connection:
            # Settled when the search is done and committed with it: the request itself names the person.
            connection.execute(SETTLE, [json.dumps(counts), erasure_id])
            found = {**rows_naming(connection, identity), **texts.naming(connection, identity)}
    left = [f"{column}: {rows:,} rows" for column, rows in found.items()] + named
    return Erased(erasure_id, dict(counts), left)


def allow(connection: psycopg.Connection, erased: ErasedIds, identity: Identity, *, actor: str | None = None) -> bool:
    """Let rows that name the person in again. Whether they were kept out.

    Raises:
        TutorqError: people were erased with another key.
    """
    erased.read_all(connection)
    gone = connection.execute(ALLOW, [erased.hash(identity.kind, identity.person_id)]).rowcount
    if gone:
        # A file that was loaded before is to be read once more when it comes again.
        connection.execute("update raw.loads set checksum = ''")
        # Not who it is: they may never come.
        audit.record(connection, Entry(actor or audit.operator(), Action.DATA_ALLOW, identity.kind, "[erased]"))
    return gone > 0


def erase_rows(connection: psycopg.Connection, identity: Identity, texts: SealedTexts, *, by: str) -> dict[str, int]:
    """Erase what the database holds, in the transaction of the connection; counts of rows by table."""
    counts: Counter[str] = Counter()
    stub = uuid4()
    tables = stored_tables(connection)
    connection.execute("set local tutorq.erasing = 'on'")
    if identity.kind == "student" and identity.sessions:
        connection.execute(ADD_STUB, [stub])
    sessions = [session for session, _ in identity.sessions]
    # Locked in the order of all writers: rows of raw in key order, then the gates, then the tutors.
    connection.execute(LOCK[identity.kind], [identity.person_id])
    connection.execute("select from raw.sessions where session_id = any(%s) order by session_id for update", [sessions])
    has_marts = _value(connection, HAS_MARTS)
    if has_marts:
        tutors: Any = _value(connection, TOUCHED_TUTORS, [sessions]) or []
        connection.execute(LIVE_LOCKS, [[*tutors, identity.person_id]])
    if identity.kind == "student":
        counts["raw.sessions: rows deleted"] += connection.execute(DELETE_PLANNED, [identity.person_id]).rowcount
    if identity.kind == "tutor" and _value(connection, HAS_HISTORIES):
        connection.execute(TOUCH_HISTORIES, [identity.person_id])
    unsealed = texts.unseal_where_named(connection, identity)
    parameters = identity.parameters(stub)
    with psycopg.RawCursor(connection) as cursor:
        for table in tables:
            rows = table.rows(identity.kind)
            if rows is None:
                continue
            if rows.fate is Fate.REDACT:
                counts[f"{table.name}: rows changed"] += _redact_audit(connection, table, identity, by)
                continue
            statement, used = renumbered(rows.sql(table.name), parameters)
            count = cursor.execute(statement.encode(), used).rowcount
            if count:
                done = "deleted" if rows.fate is Fate.DELETE else "changed"
                counts[f"{table.name}: rows {done}"] += count
    for table in tables:
        own = table.rows(identity.kind)
        if own is None or own.fate is not Fate.REDACT:
            for done, count in _erase_words(connection, table, identity):
                counts[f"{table.name}: rows {done}"] += count
    texts.seal_again(connection, unsealed)
    connection.execute(WAKE, [identity.kind])
    connection.execute("update ml.prediction_version set version = version + 1, changed_at = now()")
    if has_marts:
        connection.execute("select marts.note_refresh()")
    return {name: count for name, count in counts.items() if count}


def _redact_audit(connection: psycopg.Connection, table: Table, identity: Identity, by: str) -> int:
    """Empty entries about the person, and others that name them. That something was done, when and by whom, stays."""
    rows = table.rows(identity.kind)
    assert rows is not None
    named = "concat_ws(' ', subject_id, details) ~* $7::text"
    # The id of a session says who its tutor is, and of a student nothing.
    own = f"({rows.condition}) and (subject_kind <> 'session' or '{identity.kind}' = 'tutor')"
    count = 0
    for condition, subject in ((own, ERASED), (f"({rows.condition}) or {named}", None)):
        # An entry that was emptied has nothing more to lose.
        query = f"select entry_id from {table.name} where ({condition}) and subject_id <> '{ERASED}'"
        statement, used = renumbered(query, [*identity.parameters(uuid4()), identity.pattern])
        with psycopg.RawCursor(connection) as cursor:
            entries = [row[0] for row in cursor.execute(statement.encode(), used)]
        count += audit.redact(connection, entries, by=by, subject_id=subject)
    return count


def erase_records(database: Database, identity: Identity) -> dict[str, int]:
    """Take the person out of Dagster's records, which should name nobody: errors of runs may quote what they read."""
    counts = {}
    with suppress(psycopg.OperationalError), psycopg.connect(database.dagster_url) as connection:
        for table, column in connection.execute(TEXT_COLUMNS).fetchall():
            change = sql.SQL("update {0} set {1} = regexp_replace({1}, %s, %s, 'gi') where {1} ~* %s").format(
                sql.Identifier(table), sql.Identifier(column)
            )
            count = connection.execute(change, [identity.pattern, ERASED, identity.pattern]).rowcount
            if count:
                counts[f"dagster.{table}: rows changed"] = count
    return counts


def rows_naming(connection: psycopg.Connection, identity: Identity) -> dict[str, int]:
    """How many rows of which columns name the person, whatever the registry says of them; without those that do not. A
    student and a tutor who are both called 17 have one UUID, so ids of the other kind are not looked at."""
    found = {}
    other = Holds.STUDENT if identity.kind == "tutor" else Holds.TUTOR
    namesake = with_id(connection, "student" if identity.kind == "tutor" else "tutor", identity.person_id)
    of_anybody = {"raw.changes.entity_id", "ml.touched_people.person_id"} if namesake.is_known else set()
    for table in stored_tables(connection, SCHEMAS):
        has_namesake = identity.kind == "student" and namesake.is_known and table.is_of_tutors
        for column in table.types:
            if holds_of(table.name, column) is other or f"{table.name}.{column}" in of_anybody:
                continue
            query = sql.SQL("select count(*) from {} where {}::text ~* %s").format(
                sql.SQL(table.name), sql.Identifier(column)
            )
            parameters: list[object] = [identity.pattern]
            if has_namesake and holds_of(table.name, column) is Holds.OWN:
                query += sql.SQL(" and tutor_id <> %s")
                parameters.append(identity.person_id)
            count = _value(connection, query, parameters)
            if count:
                found[f"{table.name}.{column}"] = count
    return found


def _note_hashes(connection: psycopg.Connection, erased: ErasedIds, identity: Identity) -> None:
    erased.require_key([row[0] for row in connection.execute("select id_hash from raw.erased_ids where kind = 'key'")])
    person = erased.hash(identity.kind, identity.person_id)
    noted = [(erased.check, "key", erased.check), (person, identity.kind, person)]
    noted += [(erased.hash("session", session), "session", person) for session, _ in identity.sessions]
    with connection.cursor() as cursor:
        cursor.executemany(NOTE, noted)


def _with_late_sessions(connection: psycopg.Connection, erased: ErasedIds, identity: Identity) -> Identity:
    """With sessions that writers have added meanwhile; their hashes are noted, too."""
    now = with_id(connection, identity.kind, identity.person_id, identity.external_id)
    if not now.is_known and not now.sessions:
        return identity
    _note_hashes(connection, erased, now)
    return now if now.is_known else identity


@contextmanager
def _alone(database: Database, tell: Callable[[str], None]) -> Iterator[psycopg.Connection]:
    """Without a landing run, a dbt run or a writer of predictions beside, in the order of core/locks.py. Nor is a part
    of a prediction being made, or a mail being written or sent, of people who were read before."""
    tell("waiting for runs to end")
    with database.connect(autocommit=True) as keeper:
        free_locks_of_vanished_hosts(keeper)
        for place in range(len(ENTITIES)):
            keeper.execute("select pg_advisory_lock(%s, %s)", [locks.LANDING, place])
        keeper.execute("select pg_advisory_lock(%s)", [locks.DBT])
        for bucket in range(BUCKETS):
            keeper.execute("select pg_advisory_lock(%s, %s)", [locks.PAIRS_BUCKET, bucket])
        for alone in (locks.PAIRS_WRITE, *READERS):
            keeper.execute("select pg_advisory_lock(%s)", [alone])
        yield keeper


def _wait_for_writers(keeper: psycopg.Connection, tell: Callable[[str], None]) -> None:
    high, low = locks.ERASED >> 32, locks.ERASED & 0xFFFFFFFF

    def now() -> set[str]:
        return {row[0] for row in keeper.execute(WRITERS, [high, low])}

    before = now()
    deadline = time.monotonic() + WRITERS_SECONDS
    if before:
        tell("waiting for writers to end")
    while before & now():
        if time.monotonic() > deadline:
            raise TutorqError(
                f"a writer has been at work for more than {WRITERS_SECONDS // 60} minutes: erase again when it is "
                "done; nothing new of this person comes in meanwhile"
            )
        time.sleep(0.1)


def _erase_words(connection: psycopg.Connection, table: Table, identity: Identity) -> Iterator[tuple[str, int]]:
    """Where rows of others name the person: the words go, or the rows of which nothing else is left."""
    named = table.words
    if table.name in DELETED_IF_NAMED:
        named = list(table.types)
    if not named:
        return
    joined = sql.SQL(" || ' ' || ").join(
        sql.SQL("coalesce({}::text, '')").format(sql.Identifier(column)) for column in named
    )
    where = sql.SQL("where {} ~* %s").format(joined)
    name = sql.SQL(table.name)
    if table.name in DELETED_IF_NAMED:
        yield (
            "deleted",
            connection.execute(sql.SQL("delete from {} ").format(name) + where, [identity.pattern]).rowcount,
        )
        return
    columns = sql.SQL(", ").join(map(sql.Identifier, named))
    rows = connection.execute(
        sql.SQL("select ctid, {} from {} ").format(columns, name) + where + sql.SQL(" for update"), [identity.pattern]
    ).fetchall()
    changes = sql.SQL(", ").join(
        sql.SQL("{} = %s::{}").format(sql.Identifier(column), sql.SQL(table.types[column])) for column in named
    )
    change = sql.SQL("update {} set {} where ctid = %s").format(name, changes)
    for place, *values in rows:
        redacted = [
            _redacted(value, table.types[column], identity) for column, value in zip(named, values, strict=True)
        ]
        connection.execute(change, [*redacted, place])
    yield "changed", len(rows)


def _redacted(value: object, kind: str, identity: Identity) -> object:
    if value is None or kind == "uuid":
        return value
    if kind in ("json", "jsonb"):
        return json.dumps(identity.redacted_json(value), ensure_ascii=False)
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.dumps(identity.redacted_json(json.loads(value)), ensure_ascii=False)
        except ValueError:
            return identity.redacted(value)
    return identity.redacted(value) if isinstance(value, str) else identity.redacted_json(value)


def _record(connection: psycopg.Connection, identity: Identity, actor: str) -> int:
    erasure_id = _value(connection, NUMBER, [identity.kind, identity.person_id, identity.external_id, actor])
    details = {"erasure": erasure_id, "sessions": len(identity.sessions)}
    audit.record(connection, Entry(actor, Action.DATA_ERASE, identity.kind, "[erased]", details))
    return int(erasure_id)


def _value(connection: psycopg.Connection, query: Any, parameters: Any = None) -> Any:
    row = connection.execute(query, parameters).fetchone()
    return row[0] if row else None
