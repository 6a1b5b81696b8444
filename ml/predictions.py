"""Predictions of pairs in the database: bucket by bucket, and those of single people.

Pairs are all of active people, or the best of each student (`ml.kept` says which).

Who writes holds a lock, from before people are read to after their pairs are written. Whole buckets share it and may
be written side by side; single people need it alone. So a prediction made from older attributes never takes the place
of one made from newer ones.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import LiteralString
from uuid import UUID

import numpy as np
import psycopg
from psycopg import sql
from threadpoolctl import threadpool_limits

from core import locks
from core.database import Database
from core.settings import Settings
from ml.booked import booked_pairs
from ml.candidates import candidates
from ml.changed_lists import changed_lists
from ml.copy_rows import COLUMNS, HEADER, TRAILER, RowEncoder
from ml.features import Integers
from ml.kept import Kept, kept_by, kept_in
from ml.marts import history_day
from ml.model import Model
from ml.pairs import BUCKETS, Block, PairScorer, bucket_of, score, uuids
from ml.people import active_people, read_students, read_tutors
from ml.prediction_version import RAISE_VERSION
from ml.top import BEST, best_lists, blocks

WORKERS = 2
ALL_BUCKETS = tuple(range(BUCKETS))

# How long a swap waits for readers before it lets others pass and tries again.
SWAP_PATIENCE, SWAP_ATTEMPTS, SWAP_PAUSE_SECONDS = "2s", 30, 1.0

# More touched people than this share of all cost as much as everybody, so everybody is predicted.
MANY_TOUCHED = 0.1

COPY = sql.SQL("copy {} ({}) from stdin (format binary{})")
# Numbers of runs are given under the lock of writers: no bucket has rows of an earlier run than the one that wrote it
# as a whole.
FORGET_RUNS = """
delete from ml.match_runs
where run_id < (select min(run_id) from ml.prediction_buckets having count(*) = %s)
"""


@dataclass(frozen=True)
class Predicted:
    """What a call has written. `is_done` is false where somebody else was writing, or buckets keep different pairs and
    are to be written anew as a whole, and nothing was. `scored`: pairs that were looked at."""

    pairs: int
    students: int
    tutors: int
    seconds: float
    is_done: bool = True
    kept: Kept = "all"
    scored: int = 0


@dataclass(frozen=True)
class _Touched:
    ids: list[int]
    students: list[UUID]
    tutors: list[UUID]


def predict_all(
    settings: Settings,
    database: Database,
    model: Model,
    *,
    buckets: Sequence[int] = ALL_BUCKETS,
    on_progress: Callable[[int, int], None] | None = None,
) -> Predicted:
    """Predict the active students of the buckets with every active tutor, or with the best candidates of each (see
    `ml.kept`). Each bucket takes the place of the old one as a whole; `on_progress` gets (pairs done, pairs in all).

    Lists of the best depend on all students, so they are made for all of them, whichever buckets are to be written.

    Raises TutorqError if the marts of matching have not been built.
    """
    started = time.monotonic()
    report = on_progress or _nobody
    with database.connect(autocommit=True) as keeper:
        # A second run of the same buckets waits here for the first; in one order, so that no two wait for each other.
        for bucket in sorted(set(buckets)):
            keeper.execute("select pg_advisory_lock(%s, %s)", [locks.PAIRS_BUCKET, bucket])
        # Here and not where a bucket is written: between two of them, the pairs of a person who has changed since
        # people were read could be written, and then be lost to the next bucket. It ends with the connection.
        keeper.execute("select pg_advisory_lock_shared(%s)", [locks.PAIRS_WRITE])
        with database.connect() as connection:
            connection.execute("set transaction isolation level repeatable read")
            touched = _touched(connection)
            as_of = history_day(connection)
            students, tutors = active_people(connection)
            kept = kept_by(settings.match_pairs, len(students) * len(tutors))
            among = candidates(connection, students.ids, tutors.ids) if kept == "top" else None
            run = _new_run(connection, settings, model)
        owner = bucket_of(students.ids)
        chosen = np.isin(owner, buckets)
        # Threads of BLAS would wait for each other, and take the time of the server's processes.
        with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(WORKERS) as pool:
            pairs_of: Callable[[Integers], Iterator[Block]]
            if among:
                lists = best_lists(model, students, tutors, among, on_progress=report)
                total, pairs_of = int(lists.length[chosen].sum()), partial(blocks, students, tutors, lists)
            else:
                scorer = PairScorer(model, students, tutors)
                total, pairs_of = int(chosen.sum()) * len(tutors), lambda some: scorer.score(students[some])
            done = 0
            report(done, total)

            def write(bucket: int) -> int:
                some = np.flatnonzero(owner == bucket)
                about = _Bucket(bucket, run, kept, len(some) * len(tutors), as_of)
                return _replace_bucket(database, model, about, pairs_of(some))

            for job in as_completed([pool.submit(write, bucket) for bucket in buckets]):
                done += job.result()
                report(done, total)
        with database.connect() as connection:
            if set(buckets) == set(ALL_BUCKETS):
                # Only what was noted before people were read: what came later is still to be done.
                connection.execute("delete from ml.touched_people where touch_id = any(%s)", [touched.ids])
            connection.execute(FORGET_RUNS, [BUCKETS])
    if kept == "top":
        total += predict_booked(settings, database, model)
    scored = int(among.count.sum()) if among else total
    seconds = time.monotonic() - started
    return Predicted(total, int(chosen.sum()), len(tutors), seconds, kept=kept, scored=scored)


def repredict(
    settings: Settings,
    database: Database,
    model: Model,
    *,
    students: Sequence[UUID] = (),
    tutors: Sequence[UUID] = (),
    wait: bool = True,
) -> Predicted:
    """Predict the pairs of these people anew, and no others; who is not active any more loses them. Where the best
    pairs are kept, lists of others change if a tutor enters or leaves them (`ml.changed_lists`).

    With `wait` false it does nothing while buckets are being written; what was noted of these people then stays
    noted, and is done by the next run. So it does where buckets keep different pairs.
    """
    started = time.monotonic()
    with database.connect() as connection:
        if not _lock_alone(connection, wait=wait) or (kept := _kept(connection, settings)) is None:
            return Predicted(0, 0, 0, time.monotonic() - started, is_done=False)
        # By kind: a student and a tutor who are both called 17 have one UUID.
        for entity, people in (("student", students), ("tutor", tutors)):
            connection.execute(
                "delete from ml.touched_people where entity = %s and person_id = any(%s)", [entity, list(people)]
            )
        pairs = _rewrite(connection, settings, model, kept, list(students), list(tutors))
    return Predicted(pairs, len(students), len(tutors), time.monotonic() - started, kept=kept, scored=pairs)


def repredict_touched(settings: Settings, database: Database, model: Model) -> Predicted:
    """Predict the pairs of all people who were noted as touched; everybody, if they are many, or if buckets keep
    different pairs."""
    started = time.monotonic()
    with database.connect() as connection:
        touched = _touched(connection)
        everybody = connection.execute(
            "select (select count(*) from raw.students) + (select count(*) from raw.tutors)"
        ).fetchone() or (0,)
    if not touched.ids:
        return Predicted(0, 0, 0, 0.0)
    if len(touched.students) + len(touched.tutors) > max(100, MANY_TOUCHED * everybody[0]):
        return predict_all(settings, database, model)
    with database.connect() as connection:
        _lock_alone(connection, wait=True)
        if kept := _kept(connection, settings):
            connection.execute("delete from ml.touched_people where touch_id = any(%s)", [touched.ids])
            pairs = _rewrite(connection, settings, model, kept, touched.students, touched.tutors)
    if not kept:
        return predict_all(settings, database, model)
    seconds = time.monotonic() - started
    return Predicted(pairs, len(touched.students), len(touched.tutors), seconds, kept=kept, scored=pairs)


def predict_booked(settings: Settings, database: Database, model: Model, *, wait: bool = True) -> int:
    """Where the best pairs are kept, predict pairs who are to meet for the first time and have no prediction; returns
    their number. None where the marts have not been built, or, with `wait` false, while somebody else writes pairs:
    a run of all buckets ends with this."""
    with database.connect() as connection:
        exists = connection.execute("select to_regclass('marts.upcoming_sessions') is not null").fetchone()
        if not (exists and exists[0]) or not _lock_alone(connection, wait=wait):
            return 0
        # Under the lock: whoever wrote buckets until now may have changed what they keep.
        if "top" not in kept_in(connection):
            return 0
        missing = list(booked_pairs(connection, model))
        if not missing:
            return 0
        pairs = _insert(connection, _new_run(connection, settings, model), missing)
        connection.execute(RAISE_VERSION)
    return pairs


def wanted_pairs(connection: psycopg.Connection, kept: Kept) -> int:
    """How many pairs there are to be, of people as of this moment."""
    if kept == "all":
        (pairs,) = connection.execute(
            "select (select count(*) from marts.match_students where is_active) "
            "* (select count(*) from marts.match_tutors where is_active)"
        ).fetchone() or (0,)
        return int(pairs)
    students, tutors = active_people(connection)
    return int(np.minimum(candidates(connection, students.ids, tutors.ids).count, BEST).sum())


def _nobody(done: int, total: int) -> None:
    """Nobody watches the progress."""


@dataclass(frozen=True)
class _Bucket:
    """What is noted of a bucket that is written."""

    number: int
    run: int
    kept: Kept
    possible: int
    as_of: date | None


def _replace_bucket(database: Database, model: Model, about: _Bucket, pairs: Iterable[Block]) -> int:
    """Fill a new partition, index it, and put it in the place of the old one; returns the number of pairs."""
    bucket = about.number
    current, coming = (sql.Identifier("ml", f"match_predictions_{bucket:02d}{suffix}") for suffix in ("", "_next"))
    with database.connect() as connection:
        connection.execute(sql.SQL("drop table if exists {}").format(coming))
        connection.execute(
            sql.SQL("create table {} (like ml.match_predictions including defaults including constraints)").format(
                coming
            )
        )
        connection.commit()
        # Emptied in the transaction that fills it, so rows need no log of their own and are frozen from the start.
        connection.execute(sql.SQL("truncate {}").format(coming))
        count = _copy(connection, coming, ", freeze", RowEncoder(about.run), pairs)
        connection.execute(
            sql.SQL("alter table {0} add primary key (student_id, tutor_id, bucket), add check (bucket = {1})").format(
                coming, sql.Literal(bucket)
            )
        )
        connection.execute(sql.SQL("create index on {} (tutor_id)").format(coming))
        # A tenth of the usual sample: all students have as many rows, and all tutors.
        connection.execute("set local default_statistics_target = 10")
        connection.execute(sql.SQL("analyze {}").format(coming))
        connection.execute(
            """
            insert into ml.prediction_buckets (bucket, model_version, as_of, pairs, run_id, kept, possible)
            values (%s, %s, %s, %s, %s, %s, %s)
            on conflict (bucket) do update set
                model_version = excluded.model_version, as_of = excluded.as_of, pairs = excluded.pairs,
                run_id = excluded.run_id, kept = excluded.kept, possible = excluded.possible, predicted_at = now()
            """,
            [bucket, model.version, about.as_of, count, about.run, about.kept, about.possible],
        )
        _swap(connection, bucket, current, coming)
        connection.execute(RAISE_VERSION)
    return count


def _swap(connection: psycopg.Connection, bucket: int, current: sql.Identifier, coming: sql.Identifier) -> None:
    """Put a partition in the place of another. Takes the lock that all readers need, so it waits for none of them
    long: who came after it would wait as well."""
    steps = [
        sql.SQL("drop table if exists {}").format(current),
        sql.SQL("alter table ml.match_predictions attach partition {} for values in ({})").format(
            coming, sql.Literal(bucket)
        ),
        sql.SQL("alter table {} rename to {}").format(coming, sql.Identifier(f"match_predictions_{bucket:02d}")),
    ]
    for attempt in range(SWAP_ATTEMPTS):
        try:
            with connection.transaction():
                connection.execute(sql.SQL("set local lock_timeout = {}").format(sql.Literal(SWAP_PATIENCE)))
                for step in steps:
                    connection.execute(step)
                return
        except psycopg.errors.LockNotAvailable:
            if attempt == SWAP_ATTEMPTS - 1:
                raise
            time.sleep(SWAP_PAUSE_SECONDS)


def _kept(connection: psycopg.Connection, settings: Settings) -> Kept | None:
    """What all buckets keep; None if they differ."""
    found = kept_in(connection) or [settings.match_pairs or "all"]
    return found[0] if len(found) == 1 else None


def _rewrite(
    connection: psycopg.Connection,
    settings: Settings,
    model: Model,
    kept: Kept,
    students: list[UUID],
    tutors: list[UUID],
) -> int:
    """Replace the pairs of these people, in the transaction of the connection; returns how many there are now."""
    run = _new_run(connection, settings, model)
    if kept == "top":
        changed = changed_lists(connection, model, changed_students=students, changed_tutors=tutors)
    else:
        changed = _changed_pairs(connection, model, students, tutors)
    pairs = _insert(connection, run, changed)
    if kept == "top":
        pairs += _insert(connection, run, booked_pairs(connection, model))
    connection.execute(RAISE_VERSION)
    return pairs


def _insert(connection: psycopg.Connection, run: int, pairs: Iterable[Block]) -> int:
    """Add pairs to the buckets as they are; returns their number. Making the pairs must not query the connection."""
    return _copy(connection, sql.Identifier("ml", "match_predictions"), "", RowEncoder(run), pairs)


def _changed_pairs(
    connection: psycopg.Connection, model: Model, students: list[UUID], tutors: list[UUID]
) -> Iterator[Block]:
    """Delete all pairs of these people, and return what is to be written in their place."""
    if students:
        connection.execute(
            "delete from ml.match_predictions where student_id = any(%s) and bucket = any(%s)",
            [students, sorted({student.bytes[15] % BUCKETS for student in students})],
        )
    if tutors:
        connection.execute("delete from ml.match_predictions where tutor_id = any(%s)", [tutors])
    parts = []
    if students:
        parts.append((read_students(connection, students), read_tutors(connection)))
    if tutors:
        everybody = read_students(connection)
        # Those of the students above have all their tutors already.
        done = set(students)
        others = np.array([each not in done for each in uuids(everybody.ids)], dtype=np.bool_)
        parts.append((everybody[np.flatnonzero(others)], read_tutors(connection, tutors)))
    return (block for some, others_of_them in parts for block in score(model, some, others_of_them))


def _new_run(connection: psycopg.Connection, settings: Settings, model: Model) -> int:
    """The number of a new row of ml.match_runs. Who makes one holds a lock of writers until the pairs are written."""
    row = connection.execute(
        "insert into ml.match_runs (model_version, medium_from, high_from) values (%s, %s, %s) returning run_id",
        [model.version, settings.match_medium_risk, settings.match_high_risk],
    ).fetchone()
    assert row is not None
    return int(row[0])


def _copy(
    connection: psycopg.Connection, table: sql.Identifier, option: LiteralString, encoder: RowEncoder,
    blocks_of_it: Iterable[Block],
) -> int:  # fmt: skip
    """Append the rows of these blocks to the table; returns how many they are."""
    pairs = 0
    statement = COPY.format(table, sql.SQL(", ").join(map(sql.Identifier, COLUMNS)), sql.SQL(option))
    with connection.cursor().copy(statement) as copy:
        copy.write(HEADER)
        for block in blocks_of_it:
            copy.write(encoder.encode(block))
            pairs += len(block)
        copy.write(TRAILER)
    return pairs


def _lock_alone(connection: psycopg.Connection, *, wait: bool) -> bool:
    if wait:
        connection.execute("select pg_advisory_xact_lock(%s)", [locks.PAIRS_WRITE])
        return True
    row = connection.execute("select pg_try_advisory_xact_lock(%s)", [locks.PAIRS_WRITE]).fetchone()
    return bool(row and row[0])


def _touched(connection: psycopg.Connection) -> _Touched:
    rows = connection.execute("select touch_id, entity, person_id from ml.touched_people").fetchall()
    people = {entity: list({person for _, each, person in rows if each == entity}) for entity in ("student", "tutor")}
    return _Touched([touch for touch, _, _ in rows], people["student"], people["tutor"])
