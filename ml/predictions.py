"""Predictions in the database: all pairs bucket by bucket, the pairs of single people, and sessions to come.

Who writes holds a lock, from before people are read to after their pairs are written. Whole buckets share it and may
be written side by side; single people need it alone. So a prediction made from older attributes never takes the place
of one made from newer ones.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, LiteralString
from uuid import UUID

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg import sql

from core import locks
from core.database import Database
from core.errors import TutorqError
from core.settings import Settings
from ml.copy_rows import COLUMNS, HEADER, TRAILER, RowEncoder
from ml.features import RISK_LEVELS, feature_matrix, risk_codes, style_codes
from ml.model import Model
from ml.pairs import BUCKETS, Ids, Students, Tutors, bucket_of, score

if TYPE_CHECKING:
    import pandas as pd

# The first one goes with the number of a bucket.
WORKERS = 2
ALL_BUCKETS = tuple(range(BUCKETS))

# How long a swap waits for readers before it lets others pass and tries again.
SWAP_PATIENCE, SWAP_ATTEMPTS, SWAP_PAUSE_SECONDS = "2s", 30, 1.0

# More touched people than this share of all cost as much as everybody, so everybody is predicted.
MANY_TOUCHED = 0.1

STUDENTS: LiteralString = """
select
    student_id, preferred_pace, preferred_teaching_style, communication_style, age, urgency_level,
    student_first_meetings, student_continuation_rate
from marts.match_students
where is_active and (%(ids)s::uuid[] is null or student_id = any(%(ids)s))
order by student_id
"""
TUTORS: LiteralString = """
select
    tutor_id, preferred_pace, teaching_style, communication_style, age, experience_years, tutor_sessions_90d,
    tutor_reschedule_rate, tutor_no_show_rate, tutor_continuation_rate, tutor_rating
from marts.match_tutors
where is_active and (%(ids)s::uuid[] is null or tutor_id = any(%(ids)s))
order by tutor_id
"""
COPY = sql.SQL("copy {} ({}) from stdin (format binary{})")
RAISE_VERSION = "update ml.prediction_version set version = version + 1, changed_at = now()"


@dataclass(frozen=True)
class Predicted:
    """What a call has written. `is_done` is false where somebody else was writing, and nothing was."""

    pairs: int
    students: int
    tutors: int
    seconds: float
    is_done: bool = True


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
    """Predict every active student of the buckets with every active tutor. Each bucket takes the place of the old one
    as a whole; `on_progress` gets (pairs done, pairs in all).

    Raises TutorqError if the marts of matching have not been built.
    """
    started = time.monotonic()
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
        owner = bucket_of(students.ids)
        total, done = int(np.isin(owner, buckets).sum()) * len(tutors), 0
        encoder = RowEncoder(
            model.version, datetime.now(UTC), low=settings.match_medium_risk, high=settings.match_high_risk
        )
        report = on_progress or _nobody
        report(0, total)
        with ThreadPoolExecutor(WORKERS) as pool:
            jobs = [
                pool.submit(_replace_bucket, database, model, encoder, bucket, students[owner == bucket], tutors, as_of)
                for bucket in buckets
            ]
            for job in as_completed(jobs):
                done += job.result()
                report(done, total)
        if set(buckets) == set(ALL_BUCKETS):
            # Only what was noted before people were read: what came later is still to be done.
            with database.connect() as connection:
                connection.execute("delete from ml.touched_people where touch_id = any(%s)", [touched.ids])
    chosen = int(np.isin(owner, buckets).sum())
    return Predicted(total, chosen, len(tutors), time.monotonic() - started)


def repredict(
    settings: Settings,
    database: Database,
    model: Model,
    *,
    students: Sequence[UUID] = (),
    tutors: Sequence[UUID] = (),
    wait: bool = True,
) -> Predicted:
    """Predict the pairs of these people anew, and no others; who is not active any more loses them.

    With `wait` false it does nothing while buckets are being written; what was noted of these people then stays
    noted, and is done by the next run.
    """
    started = time.monotonic()
    with database.connect() as connection:
        if not _lock_alone(connection, wait=wait):
            return Predicted(0, 0, 0, time.monotonic() - started, is_done=False)
        # By kind: a student and a tutor who are both called 17 have one UUID.
        for entity, people in (("student", students), ("tutor", tutors)):
            connection.execute(
                "delete from ml.touched_people where entity = %s and person_id = any(%s)", [entity, list(people)]
            )
        pairs = _rewrite(connection, settings, model, list(students), list(tutors))
    return Predicted(pairs, len(students), len(tutors), time.monotonic() - started)


def repredict_touched(settings: Settings, database: Database, model: Model) -> Predicted:
    """Predict the pairs of all people who were noted as touched; everybody, if they are many."""
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
        connection.execute("delete from ml.touched_people where touch_id = any(%s)", [touched.ids])
        pairs = _rewrite(connection, settings, model, touched.students, touched.tutors)
    return Predicted(pairs, len(touched.students), len(touched.tutors), time.monotonic() - started)


def predict_sessions(settings: Settings, database: Database, model: Model) -> int:
    """Predict scheduled sessions that have no prediction of today by this model, and forget those that are over.

    Returns how many were predicted; none where the marts of matching have not been built.
    """
    with database.connect() as connection:
        exists = connection.execute("select to_regclass('marts.upcoming_session_features') is not null").fetchone()
        if not (exists and exists[0]):
            return 0
        today = datetime.now(UTC)
        query = f"""
            select session_id, {", ".join(f"{name}::float8" for name in model.features if name != "is_first_meeting")},
                is_first_meeting::int::float8 as is_first_meeting
            from marts.upcoming_session_features as sessions
            where not exists (
                select from ml.session_predictions as predictions
                where
                    predictions.session_id = sessions.session_id
                    and predictions.model_version = %s
                    and (predictions.predicted_at at time zone %s)::date >= (%s::timestamptz at time zone %s)::date
            )
        """
        frame = read_frame(connection, query, [model.version, settings.timezone, today, settings.timezone])
        # Not `not in`, which would read every session there ever was.
        forgotten = connection.execute(
            """
            delete from ml.session_predictions as predictions
            where not exists (
                select from raw.sessions as sessions
                where sessions.session_id = predictions.session_id and sessions.status = 'scheduled'
            )
            """
        ).rowcount
        if len(frame):
            probability = model.predict(feature_matrix(model.features, frame)).astype(np.float32)
            codes = risk_codes(probability, settings.match_medium_risk, settings.match_high_risk)
            connection.execute("create temporary table predicted (like ml.session_predictions) on commit drop")
            with connection.cursor().copy("copy predicted from stdin") as copy:
                for session_id, value, code in zip(frame["session_id"], probability, codes, strict=True):
                    copy.write_row((session_id, float(value), RISK_LEVELS[code], model.version, today))
            connection.execute(
                """
                insert into ml.session_predictions select * from predicted
                on conflict (session_id) do update set
                    tutor_disruption_probability = excluded.tutor_disruption_probability,
                    risk_level = excluded.risk_level,
                    model_version = excluded.model_version,
                    predicted_at = excluded.predicted_at
                """
            )
        if len(frame) or forgotten:
            connection.execute(RAISE_VERSION)
    return len(frame)


def churn_matrix(
    database: Database, model: Model, *, students: Sequence[UUID] = (), tutors: Sequence[UUID] = ()
) -> tuple[list[UUID], list[UUID], npt.NDArray[np.float32]]:
    """Active students, active tutors, and the churn probability of each pair (students, tutors), as of this moment;
    of those named, or of all where none are. Nothing is stored."""
    with database.connect() as connection:
        one, other = _students(connection, list(students) or None), _tutors(connection, list(tutors) or None)
    parts = [block.probability.reshape(-1, len(other)) for block in score(model, one, other)]
    matrix = np.concatenate(parts) if parts else np.empty((len(one), len(other)), dtype=np.float32)
    return _uuids(one.ids), _uuids(other.ids), matrix


def active_people(connection: psycopg.Connection) -> tuple[Students, Tutors]:
    """Everybody who gets predictions, as of this moment."""
    return _students(connection), _tutors(connection)


def history_day(connection: psycopg.Connection) -> date | None:
    """The day that the histories of people are as of, None where there are none.

    Raises TutorqError if they have not been built.
    """
    try:
        row = connection.execute("select max(as_of) from intermediate.int_tutors_now").fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise TutorqError("the marts have not been built yet; run `tutorq score` first") from error
    return row[0] if row else None


def read_frame(connection: psycopg.Connection, query: str, values: Sequence[object] = ()) -> "pd.DataFrame":
    """The rows of a query as Python objects, by column."""
    import pandas as pd

    with connection.cursor() as cursor:
        cursor.execute(query.encode(), list(values))
        names = [column.name for column in cursor.description or ()]
        return pd.DataFrame(cursor.fetchall(), columns=names)


def _nobody(done: int, total: int) -> None:
    """Nobody watches the progress."""


def _replace_bucket(
    database: Database, model: Model, encoder: RowEncoder, bucket: int, students: Students, tutors: Tutors,
    as_of: date | None,
) -> int:  # fmt: skip
    """Fill a new partition, index it, and put it in the place of the old one; returns the number of pairs."""
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
        pairs = 0
        statement = COPY.format(coming, sql.SQL(", ").join(map(sql.Identifier, COLUMNS)), sql.SQL(", freeze"))
        with connection.cursor().copy(statement) as copy:
            copy.write(HEADER)
            for block in score(model, students, tutors):
                copy.write(encoder.encode(block))
                pairs += len(block)
            copy.write(TRAILER)
        connection.execute(
            sql.SQL("alter table {0} add primary key (bucket, student_id, tutor_id), add check (bucket = {1})").format(
                coming, sql.Literal(bucket)
            )
        )
        connection.execute(sql.SQL("create index on {} (tutor_id)").format(coming))
        connection.execute(
            """
            insert into ml.prediction_buckets (bucket, model_version, as_of, pairs) values (%s, %s, %s, %s)
            on conflict (bucket) do update set
                model_version = excluded.model_version, as_of = excluded.as_of, pairs = excluded.pairs,
                predicted_at = now()
            """,
            [bucket, model.version, as_of, pairs],
        )
        _swap(connection, bucket, current, coming)
        connection.execute(RAISE_VERSION)
    return pairs


def _swap(connection: psycopg.Connection, bucket: int, current: sql.Identifier, coming: sql.Identifier) -> None:
    """Put a partition in the place of another. Takes the lock that all readers need, so it waits for none of them
    long: who came after it would wait as well."""
    steps = [
        sql.SQL("drop table if exists {}").format(current),
        sql.SQL("alter table ml.match_predictions attach partition {} for values in ({})").format(
            coming, sql.Literal(bucket)
        ),
        sql.SQL("alter table {} rename to {}").format(coming, sql.Identifier(f"match_predictions_{bucket:02d}")),
        sql.SQL("analyze {}").format(current),
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


def _rewrite(
    connection: psycopg.Connection, settings: Settings, model: Model, students: list[UUID], tutors: list[UUID]
) -> int:
    """Replace the pairs of these people, in the transaction of the connection; returns how many there are now."""
    encoder = RowEncoder(
        model.version, datetime.now(UTC), low=settings.match_medium_risk, high=settings.match_high_risk
    )
    if students:
        connection.execute(
            "delete from ml.match_predictions where student_id = any(%s) and bucket = any(%s)",
            [students, sorted({student.bytes[15] % BUCKETS for student in students})],
        )
    if tutors:
        connection.execute("delete from ml.match_predictions where tutor_id = any(%s)", [tutors])
    parts = []
    if students:
        parts.append((_students(connection, students), _tutors(connection)))
    if tutors:
        everybody = _students(connection)
        # Those of the students above have all their tutors already.
        done = set(students)
        others = np.array([each not in done for each in _uuids(everybody.ids)], dtype=np.bool_)
        parts.append((everybody[np.flatnonzero(others)], _tutors(connection, tutors)))
    statement = COPY.format(
        sql.Identifier("ml", "match_predictions"), sql.SQL(", ").join(map(sql.Identifier, COLUMNS)), sql.SQL("")
    )
    pairs = 0
    with connection.cursor().copy(statement) as copy:
        copy.write(HEADER)
        for some, others_of_them in parts:
            for block in score(model, some, others_of_them):
                copy.write(encoder.encode(block))
                pairs += len(block)
        copy.write(TRAILER)
    connection.execute(RAISE_VERSION)
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


def _students(connection: psycopg.Connection, ids: list[UUID] | None = None) -> Students:
    columns = _columns(connection, STUDENTS, ids)
    return Students(_bytes(columns[0]), _numbers(columns[1]), style_codes(columns[2]), *map(_numbers, columns[3:]))


def _tutors(connection: psycopg.Connection, ids: list[UUID] | None = None) -> Tutors:
    columns = _columns(connection, TUTORS, ids)
    return Tutors(_bytes(columns[0]), _numbers(columns[1]), style_codes(columns[2]), *map(_numbers, columns[3:]))


def _columns(connection: psycopg.Connection, query: LiteralString, ids: list[UUID] | None) -> list[list[Any]]:
    with _marts_needed(), connection.cursor() as cursor:
        rows = cursor.execute(query, {"ids": ids}).fetchall()
        width = len(cursor.description or ())
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


@contextmanager
def _marts_needed() -> Iterator[None]:
    try:
        yield
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise TutorqError("the marts have not been built yet; run `tutorq score` first") from error


def _bytes(ids: list[UUID]) -> Ids:
    return np.frombuffer(b"".join(each.bytes for each in ids), dtype=np.uint8).reshape(len(ids), 16)


def _uuids(ids: Ids) -> list[UUID]:
    return [UUID(bytes=row.tobytes()) for row in ids]


def _numbers(column: list[Any]) -> Any:
    return np.array([np.nan if value is None else float(value) for value in column], dtype=np.float64)
