"""Active people as arrays, read from the marts of matching as of this moment."""

from typing import Any, LiteralString
from uuid import UUID

import numpy as np
import psycopg

from ml.features import style_codes
from ml.marts import marts_needed
from ml.pairs import Ids, Students, Tutors

STUDENTS: LiteralString = """
select
    student_id, preferred_pace, preferred_teaching_style, communication_style, age, urgency_level,
    student_first_meetings, student_pending_meetings, student_continuation_rate, student_sessions_per_pair,
    student_rating_given
from marts.match_students
where is_active and (%(ids)s::uuid[] is null or student_id = any(%(ids)s))
order by student_id
"""
TUTORS: LiteralString = """
select
    tutor_id, preferred_pace, teaching_style, communication_style, age, experience_years, tutor_sessions_90d,
    tutor_let_down_rate, tutor_reschedule_rate, tutor_no_show_rate, tutor_continuation_rate, tutor_rating,
    tutor_rating_all_time
from marts.match_tutors
where is_active and (%(ids)s::uuid[] is null or tutor_id = any(%(ids)s))
order by tutor_id
"""


def active_people(connection: psycopg.Connection) -> tuple[Students, Tutors]:
    """Everybody who gets predictions, as of this moment."""
    return read_students(connection), read_tutors(connection)


def read_students(connection: psycopg.Connection, ids: list[UUID] | None = None) -> Students:
    """The active ones of these ids, or all of them, in the order of ids. Raises TutorqError if there are no marts."""
    columns = _columns(connection, STUDENTS, ids)
    return Students(_bytes(columns[0]), _numbers(columns[1]), style_codes(columns[2]), *map(_numbers, columns[3:]))


def read_tutors(connection: psycopg.Connection, ids: list[UUID] | None = None) -> Tutors:
    """As `read_students`."""
    columns = _columns(connection, TUTORS, ids)
    return Tutors(_bytes(columns[0]), _numbers(columns[1]), style_codes(columns[2]), *map(_numbers, columns[3:]))


def _columns(connection: psycopg.Connection, query: LiteralString, ids: list[UUID] | None) -> list[list[Any]]:
    with marts_needed(), connection.cursor() as cursor:
        rows = cursor.execute(query, {"ids": ids}).fetchall()
        width = len(cursor.description or ())
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


def _bytes(ids: list[UUID]) -> Ids:
    return np.frombuffer(b"".join(each.bytes for each in ids), dtype=np.uint8).reshape(len(ids), 16)


def _numbers(column: list[Any]) -> Any:
    return np.array([np.nan if value is None else float(value) for value in column], dtype=np.float64)
