"""Reading, and nothing else: the rows of `raw`, and what is published, from one state of the database."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from hashlib import md5
from tempfile import TemporaryFile
from typing import Any, LiteralString

import numpy as np
import pandas as pd
import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from core.errors import TutorqError
from verify.inputs import Basis, KeptDays, RawFrames

READ = "marts.publication, marts.tutor_scores, marts.tutor_concerns"
PRIORS_OF_TODAY = """
select
    concern, rate_limit, prior_alpha, broad_alpha, prior_beta, broad_beta, rating_mean, between_variance,
    within_variance
from intermediate.concern_priors
where concern_day = (select as_of from marts.publication)
"""
# As `is_sampled` has it.
IN_SAMPLE = sql.SQL("('x' || left(md5(tutor_id::text), 8))::bit(32)::bigint < {}")


def freeze(connection: psycopg.Connection) -> None:
    """All reads of the transaction see one state, whatever is loaded or scored meanwhile.

    The marts are locked before that state is taken: one that is swapped later would be empty in it.

    Raises:
        TutorqError: there are no marts yet.
    """
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    try:
        connection.execute(f"lock table {READ} in access share mode".encode())
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        raise _not_published() from None


def load_publication(connection: psycopg.Connection) -> Basis:
    """The settings that the marts were published with.

    Raises:
        TutorqError: nothing has been published yet, or by a version that did not say all of them.
    """
    row = connection.cursor(row_factory=dict_row).execute("select * from marts.publication").fetchone()
    if row is None:
        raise _not_published()
    names = [field.name for field in fields(Basis)]
    unsaid = [name for name in names if name not in row]
    if unsaid:
        raise TutorqError(f"marts.publication lacks {', '.join(unsaid)}; run `tutorq score` to publish anew")
    values: dict[str, Any] = {name: row[name] for name in names}
    return Basis(**values)


def load_scores(connection: psycopg.Connection) -> pd.DataFrame:
    """`marts.tutor_scores` with all its columns, index tutor_id (text).

    The values are Python objects, in which null (None) and NaN are still two things.

    Raises:
        TutorqError: the mart has no tutor_id.
    """
    return _load_mart(connection, "tutor_scores", "tutor_id")


def load_concerns(connection: psycopg.Connection) -> pd.DataFrame:
    """`marts.tutor_concerns` with all its columns, index concern_key; values as those of `load_scores`.

    Raises:
        TutorqError: the mart has no concern_key.
    """
    concerns = _load_mart(connection, "tutor_concerns", "concern_key")
    return concerns.assign(tutor_id=concerns["tutor_id"].astype("str"))


def _load_mart(connection: psycopg.Connection, mart: LiteralString, key: str) -> pd.DataFrame:
    cursor = connection.execute(sql.SQL("select * from marts.{}").format(sql.Identifier(mart)))
    names = [column.name for column in cursor.description or ()]
    if key not in names:
        raise TutorqError(f"marts.{mart} lacks {key}; run `tutorq score --full-refresh`")
    frame = pd.DataFrame(cursor.fetchall(), columns=names, dtype="object")
    return frame.set_index(frame.pop(key).astype("str")).sort_index()


def load_kept(connection: psycopg.Connection, *, is_sample: bool = False) -> KeptDays:
    """What runs have kept of closed days, and the newest reference of each kind, or the one that is shipped.

    For a sample of the tutors, also the priors of the as-of day, which follow from all of them.
    """
    priors = connection.execute("select * from app.concern_priors")
    priors_frame = pd.DataFrame(priors.fetchall(), columns=[column.name for column in priors.description or ()])
    stretches = connection.execute(
        "select tutor_id::text, concern, raised_on from app.concern_stretches where cleared_on is null"
    )
    ((shipped,),) = connection.execute("select concern_rules from marts.publication").fetchall()
    reference = connection.execute(
        "select filter_prior, design_effect from app.score_reference order by reference_id desc limit 1"
    ).fetchone()
    filter_prior, design_effect = reference or (shipped["shipped_filter_prior"], shipped["shipped_design_effect"])
    quality = connection.execute(
        "select means, covariance from app.score_reference where means is not null order by reference_id desc limit 1"
    ).fetchone()
    means, covariance = quality or (shipped["shipped_quality_means"], shipped["shipped_quality_covariance"])
    today = connection.execute(PRIORS_OF_TODAY) if is_sample else None
    return KeptDays(
        priors_frame,
        pd.DataFrame(stretches.fetchall(), columns=["tutor_id", "concern", "raised_on"]),
        tuple(filter_prior),
        design_effect,
        np.array(means),
        np.array(covariance).reshape(4, 4),
        {concern: tuple(values) for concern, *values in today} if today is not None else {},
    )


def count_changes(connection: psycopg.Connection) -> int:
    """How many changed rows are not in the marts yet."""
    (pending,) = connection.execute("select count(*) from raw.changes").fetchone() or (0,)
    return int(pending)


def count_rows(connection: psycopg.Connection) -> tuple[int, int]:
    """How many sessions and tutors there are."""
    query = "select (select count(*) from raw.sessions), (select count(*) from raw.tutors)"
    ((sessions, tutors),) = connection.execute(query).fetchall()
    return sessions, tutors


def is_sampled(tutor_ids: Iterable[str], share: float) -> list[bool]:
    """Whether each tutor belongs to the sample of that share: chosen by a hash of the id, so always the same ones."""
    limit = int(share * 2**32)
    return [int(md5(tutor.encode(), usedforsecurity=False).hexdigest()[:8], 16) < limit for tutor in tutor_ids]


def load_raw(connection: psycopg.Connection, share: float = 1) -> RawFrames:
    """Read what the scores depend on; nothing else of the rows leaves the database.

    With a `share` below 1, the rows of the tutors for whom `is_sampled` holds.
    """
    chosen: sql.Composable = sql.SQL("true")
    of_chosen: sql.Composable = chosen
    if share < 1:
        chosen = IN_SAMPLE.format(sql.Literal(int(share * 2**32)))
        of_chosen = sql.SQL("session_id in (select session_id from raw.sessions where {})").format(chosen)
    return RawFrames(
        tutors=_copy(
            connection, sql.SQL("select tutor_id from raw.tutors where {}").format(chosen), {"tutor_id": "str"}
        ),
        sessions=_copy(
            connection,
            sql.SQL("""
            select
                session_id, tutor_id, student_id, subject, status, rating, initiator, reason_code,
                technical_issue::int, lesson_id,
                (extract(epoch from scheduled_time) * 1000000)::bigint as scheduled_time,
                (extract(epoch from started_at) * 1000000)::bigint as started_at,
                (extract(epoch from cancelled_at) * 1000000)::bigint as cancelled_at
            from raw.sessions
            where {}
            """).format(chosen),
            {
                "session_id": "str",
                "tutor_id": "category",
                "student_id": "category",
                "subject": "category",
                "status": "category",
                "rating": "float64",
                "initiator": "category",
                "reason_code": "category",
                "technical_issue": "float64",
                "lesson_id": "str",
            },
            instants=("scheduled_time", "started_at", "cancelled_at"),
        ),
        reschedules=_copy(
            connection,
            sql.SQL("""
            select
                session_id, initiator as reschedule_initiator, reason_code,
                (extract(epoch from requested_at) * 1000000)::bigint as requested_at,
                (extract(epoch from original_time) * 1000000)::bigint as original_time,
                (extract(epoch from new_time) * 1000000)::bigint as new_time
            from raw.reschedules
            where {}
            """).format(of_chosen),
            {"session_id": "str", "reschedule_initiator": "category", "reason_code": "category"},
            instants=("requested_at", "original_time", "new_time"),
        ),
        excuses=_copy(
            connection, sql.SQL("select session_id from app.excuses where {}").format(of_chosen), {"session_id": "str"}
        ),
    )


def _copy(
    connection: psycopg.Connection, query: sql.Composable, types: Mapping[str, str], instants: Iterable[str] = ()
) -> pd.DataFrame:
    """The rows of `query`; `instants` are its columns of microseconds since 1970, which become UTC instants.

    The stream goes through a file on disk, so that the text of the rows is never in memory beside the frame. Null is
    spelt out because an empty reason code and none are two things.
    """
    statement = sql.SQL("copy ({}) to stdout (format csv, header, null '\\N', encoding 'utf8')").format(query)
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


def _not_published() -> TutorqError:
    return TutorqError("there are no scores to verify yet; run `tutorq score` first")
