"""What the recomputation reads: the rows of `raw`, and what is published.

Dates are midnights without a time zone (datetime64) in the reporting zone, fractions are 0-1, and a missing number is
NaN.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from tempfile import TemporaryFile
from typing import LiteralString

import pandas as pd
import psycopg
from psycopg import sql


@dataclass(frozen=True)
class Basis:
    """What the scores depend on besides the rows: the day, the reporting zone and the thresholds (fractions)."""

    as_of: date
    timezone: str
    risk_threshold: float
    high_risk_probability: float
    watch_probability: float


@dataclass(frozen=True)
class RawFrames:
    """The columns of `raw` and `app` that scores depend on; ids are text, times are UTC instants.

    tutors: tutor_id. sessions: session_id, tutor_id, student_id, scheduled_time, status, rating, initiator.
    reschedules: session_id, reschedule_initiator, reason_code, requested_at, original_time. excuses: session_id.
    """

    tutors: pd.DataFrame
    sessions: pd.DataFrame
    reschedules: pd.DataFrame
    excuses: pd.DataFrame


def load_raw(connection: psycopg.Connection) -> RawFrames:
    """Read what the scores depend on; nothing else of the rows leaves the database."""
    return RawFrames(
        tutors=_copy(connection, "select tutor_id from raw.tutors", {"tutor_id": "str"}),
        sessions=_copy(
            connection,
            """
            select
                session_id, tutor_id, student_id, status, rating, initiator,
                (extract(epoch from scheduled_time) * 1000000)::bigint as scheduled_time
            from raw.sessions
            """,
            {
                "session_id": "str",
                "tutor_id": "category",
                "student_id": "category",
                "status": "category",
                "rating": "float64",
                "initiator": "category",
            },
            instants=("scheduled_time",),
        ),
        reschedules=_copy(
            connection,
            """
            select
                session_id, initiator as reschedule_initiator, reason_code,
                (extract(epoch from requested_at) * 1000000)::bigint as requested_at,
                (extract(epoch from original_time) * 1000000)::bigint as original_time
            from raw.reschedules
            """,
            {"session_id": "str", "reschedule_initiator": "category", "reason_code": "category"},
            instants=("requested_at", "original_time"),
        ),
        excuses=_copy(connection, "select session_id from app.excuses", {"session_id": "str"}),
    )


def _copy(
    connection: psycopg.Connection, query: LiteralString, types: Mapping[str, str], instants: Iterable[str] = ()
) -> pd.DataFrame:
    """The rows of `query`; `instants` are its columns of microseconds since 1970, which become UTC instants.

    The stream goes through a file on disk, so that the text of the rows is never in memory beside the frame. Null is
    spelt out because an empty reason code and none are two things.
    """
    statement = sql.SQL("copy ({}) to stdout (format csv, header, null '\\N', encoding 'utf8')").format(sql.SQL(query))
    with TemporaryFile() as file:
        with connection.cursor() as cursor, cursor.copy(statement) as blocks:
            for block in blocks:
                file.write(block)
        file.seek(0)
        frame = pd.read_csv(
            file,
            dtype={**types, **dict.fromkeys(instants, "Int64")},
            keep_default_na=False,
            na_values=["\\N"],
        )
    for name in instants:
        frame[name] = pd.to_datetime(frame[name], unit="us", utc=True)
    return frame


def freeze(connection: psycopg.Connection) -> bool:
    """All reads of the transaction see one state, whatever is loaded or scored meanwhile.

    The marts are locked before that state is taken: one that is swapped later would be empty in it. Returns whether
    there are any.
    """
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    connection.execute("savepoint unlocked")
    try:
        connection.execute("lock table marts.publication, marts.tutor_scores in access share mode")
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        connection.execute("rollback to savepoint unlocked")
        return False
    return True


def published_basis(connection: psycopg.Connection) -> Basis | None:
    row = connection.execute(
        """
        select as_of, timezone, risk_threshold, high_risk_probability, watch_probability
        from marts.publication
        """
    ).fetchone()
    return Basis(*row) if row else None


def published_scores(connection: psycopg.Connection, columns: Sequence[str]) -> pd.DataFrame:
    """The compared columns of the mart as Python objects, where null (None) and NaN are still two things."""
    identifiers = sql.SQL(", ").join(map(sql.Identifier, columns))
    rows = connection.execute(
        sql.SQL("select tutor_id::text, {} from marts.tutor_scores order by tutor_id").format(identifiers)
    ).fetchall()
    frame = pd.DataFrame(rows, columns=["tutor_id", *columns], dtype="object")
    return frame.set_index(frame.pop("tutor_id").astype("str"))


def pending_changes(connection: psycopg.Connection) -> list[str]:
    row = connection.execute("select count(*) from raw.changes").fetchone()
    pending = row[0] if row else 0
    return [f"changes that are not in the marts yet: {pending}; `tutorq score` takes them over"] if pending else []
