"""Predictions of pairs in the database: bucket by bucket, and those of single people.

Pairs are all of active people, or the best of each student (`ml.kept` says which).

Who writes holds a lock, from before people are read to after their pairs are written. Whole buckets share it and may
be written side by side; single people need it alone. So a prediction made from older attributes never takes the place
of one made from newer ones. Where several processes make the parts of one plan (`ml.prediction_plans`), nobody can hold
a lock as long as that: single people are predicted meanwhile, and stay noted to be predicted again after it.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID

import numpy as np
import psycopg
from psycopg import sql
from threadpoolctl import threadpool_limits

from core import locks
from core.database import Database, free_locks_of_vanished_hosts
from core.prediction_version import RAISE_VERSION
from core.settings import Settings
from ml.booked import booked_pairs
from ml.candidates import candidates
from ml.changed_lists import changed_lists
from ml.copy_rows import RowEncoder
from ml.features import Integers
from ml.kept import Kept, kept_by, kept_in
from ml.marts import history_day, marts_needed
from ml.model import Model
from ml.pairs import BUCKETS, Block, PairScorer, bucket_of, score, uuids
from ml.people import active_people, read_students, read_tutors
from ml.prediction_plans import (
    Part,
    Plan,
    copy_pairs,
    find_plan,
    made,
    make_part,
    new_run,
    open_plan,
    plan_is_open,
    publish,
)
from ml.registry import model_of_version
from ml.top import BEST, best_lists, blocks

WORKERS = 2
ALL_BUCKETS = tuple(range(BUCKETS))

# More touched people than this share of all cost as much as everybody, so everybody is predicted.
MANY_TOUCHED = 0.1


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
class Published:
    """What whole buckets of a plan have now."""

    pairs: int
    model_version: str
    kept: Kept


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
    `ml.kept`), in this process. All buckets take the place of the old ones at once; `on_progress` gets (pairs done,
    pairs in all).

    Lists of the best depend on all students, so they are made for all of them, whichever buckets are to be written.

    Raises TutorqError if the marts of matching have not been built.
    """
    started = time.monotonic()
    with _holding(database, buckets) as keeper:
        # Here and not where a bucket is made: a person who has changed since people were read would be predicted, and
        # then be lost to the publication. It ends with the connection.
        keeper.execute("select pg_advisory_lock_shared(%s)", [locks.PAIRS_WRITE])
        with database.connect() as connection:
            plan = _open_plan(connection, settings, model, buckets)
        done = _make_parts(database, model, plan, plan.buckets, on_progress or _nobody)
        with database.connect() as connection:
            publish(connection, plan.run)
    booked = predict_booked(settings, database, model) if plan.kept == "top" else 0
    return replace(done, pairs=done.pairs + booked, seconds=time.monotonic() - started)


def plan_pairs(
    settings: Settings, database: Database, model: Model, *, asked_by: str, buckets: Sequence[int] = ALL_BUCKETS
) -> Plan:
    """Begin what `predict_all` does, for several processes: each of the plan's `shares` is then done by a call of
    `predict_share`, and `publish_pairs` ends it. Without a publication, readers see nothing of it.

    Raises TutorqError if the marts of matching have not been built.
    """
    with _holding(database, buckets) as keeper, keeper.transaction():
        keeper.execute("select pg_advisory_xact_lock_shared(%s)", [locks.PAIRS_WRITE])
        return _open_plan(keeper, settings, model, buckets, asked_by=asked_by)


def predict_share(settings: Settings, database: Database, run: int, buckets: Sequence[int]) -> Predicted:
    """Make these parts of a plan, unless they are there. Of two who make the same ones, the second waits for the first.

    Raises:
        PlanEndedError: a later plan has taken the place of this one.
        ModelStoreError: the plan's model cannot be read.
    """
    with _holding(database, buckets):
        with database.connect() as connection:
            plan = find_plan(connection, run)
            there = made(connection, run)
        if plan.is_published or there.keys() >= set(buckets):
            return Predicted(sum(there.get(bucket, 0) for bucket in buckets), 0, 0, 0.0, kept=plan.kept)
        model = model_of_version(settings, database, "match", plan.model_version)
        return _make_parts(database, model, plan, buckets, _nobody)


def publish_pairs(settings: Settings, database: Database, run: int) -> Published:
    """Put all parts of a plan in the place of the old buckets at once, unless that has been done.

    Raises:
        PlanEndedError: a later plan has taken the place of this one.
        TutorqError: parts are missing.
    """
    with database.connect() as connection:
        connection.execute("select pg_advisory_xact_lock_shared(%s)", [locks.PAIRS_WRITE])
        publish(connection, run)
        plan = find_plan(connection, run)
        (pairs,) = connection.execute(
            "select coalesce(sum(pairs), 0)::bigint from ml.prediction_buckets where run_id = %s", [run]
        ).fetchone() or (0,)
    if plan.kept == "top":
        pairs += predict_booked(settings, database, model_of_version(settings, database, "match", plan.model_version))
    return Published(int(pairs), plan.model_version, plan.kept)


@contextmanager
def _holding(database: Database, buckets: Sequence[int]) -> Iterator[psycopg.Connection]:
    """While these buckets are held, nobody else makes their parts; who is killed lets go of them."""
    with database.connect(autocommit=True) as keeper:
        free_locks_of_vanished_hosts(keeper)
        # A second run of the same buckets waits here for the first; in one order, so that no two wait for each other.
        for bucket in sorted(set(buckets)):
            keeper.execute("select pg_advisory_lock(%s, %s)", [locks.PAIRS_BUCKET, bucket])
        yield keeper


def _open_plan(
    connection: psycopg.Connection,
    settings: Settings,
    model: Model,
    buckets: Sequence[int],
    *,
    asked_by: str | None = None,
) -> Plan:
    # Before people are read for any part, so that no change falls between the two.
    touched = _touched(connection).ids if set(buckets) == set(ALL_BUCKETS) else []
    with marts_needed():
        kept = kept_by(settings.match_pairs, wanted_pairs(connection, "all"))
    return open_plan(connection, settings, model, kept=kept, buckets=buckets, touched=touched, asked_by=asked_by)


def _make_parts(
    database: Database, model: Model, plan: Plan, buckets: Sequence[int], report: Callable[[int, int], None]
) -> Predicted:
    """Make the parts of these buckets, side by side in threads, of people as of this moment."""
    started = time.monotonic()
    with database.connect() as connection:
        connection.execute("set transaction isolation level repeatable read")
        as_of = history_day(connection)
        students, tutors = active_people(connection)
        among = candidates(connection, students.ids, tutors.ids) if plan.kept == "top" else None
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

        def make(bucket: int) -> int:
            some = np.flatnonzero(owner == bucket)
            return make_part(database, plan.run, Part(bucket, len(some) * len(tutors), as_of), pairs_of(some))

        for job in as_completed([pool.submit(make, bucket) for bucket in buckets]):
            done += job.result()
            report(done, total)
    scored = int(among.count.sum()) if among else total
    seconds = time.monotonic() - started
    return Predicted(total, int(chosen.sum()), len(tutors), seconds, kept=plan.kept, scored=scored)


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
        for entity, people in () if plan_is_open(connection) else (("student", students), ("tutor", tutors)):
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
            if not plan_is_open(connection):
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
        pairs = _insert(connection, new_run(connection, settings, model), missing)
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
    run = new_run(connection, settings, model)
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
    return copy_pairs(connection, sql.Identifier("ml", "match_predictions"), "", RowEncoder(run), pairs)


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
