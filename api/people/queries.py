"""SQL of tutors and students, read from `raw`: they are there with the answer of the request that wrote them."""

from uuid import UUID

import asyncpg
from pydantic import BaseModel

from api.database import columns, with_app_tables
from api.paging import Order, Page, SortKey, known_to_postgres, place_of
from api.paths import NO_STUDENT, NO_TUTOR
from api.people.schemas import StudentRecord, StudentRecordFilters, TutorRecord
from api.problems import NotFoundError
from api.text_search import matches


def _one(table: str, key: str, model: type[BaseModel]) -> str:
    return f"""
    select json_build_object('data', found)
    from (select {columns(model, "people")} from {table} as people where people.{key} = $1) as found
    """


STUDENT = _one("raw.students", "student_id", StudentRecord)
TUTOR = _one("raw.tutors", "tutor_id", TutorRecord)
ORDER = Order(SortKey("name", "text"), SortKey("student_id", "uuid"))
STUDENTS = f"""
with matching as (
    select student_id, name from raw.students as people
    where {matches("people", "student_id", "$1")}
        and ($2::text is null or $2 = any(people.subjects))
        and ($3::boolean is null or people.is_stub = $3)
),

{ORDER.pages("matching", limit="$4", offset="$5", place="$6")},

rows as (
    select {columns(StudentRecord, "people")}
    from page
    inner join raw.students as people on page.student_id = people.student_id
    order by {ORDER.sql}
)

select
    json_build_object(
        'data', coalesce((select json_agg(rows) from rows), '[]'),
        'meta', json_build_object(
            'total', (select count(*) from matching), 'limit', $4::bigint, 'offset', $5::bigint,
            'next_cursor', following.cursor
        )
    ),
    following.cursor
from following
"""


class PeopleRecords:
    """Reads `raw.students` and `raw.tutors`.

    Raises (every method):
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def student(self, student_id: UUID) -> bytes:
        """A `StudentRecordResponse` as JSON.

        Raises:
            NotFoundError: there is no such student.
        """
        return await self._found(STUDENT, NO_STUDENT, student_id)

    async def tutor(self, tutor_id: UUID) -> bytes:
        """A `TutorRecordResponse` as JSON.

        Raises:
            NotFoundError: there is no such tutor.
        """
        return await self._found(TUTOR, NO_TUTOR, tutor_id)

    async def students(self, filters: StudentRecordFilters) -> Page:
        """A page of `StudentRecordList`."""
        place = place_of(filters)
        values = (filters.search, filters.subject, filters.is_stub, filters.limit, filters.offset, place)
        with known_to_postgres(filters.cursor):
            row = await with_app_tables(self._pool, lambda connection: connection.fetchrow(STUDENTS, *values))
        return Page(*row)

    async def _found(self, sql: str, missing: str, *arguments: object) -> bytes:
        body = await with_app_tables(self._pool, lambda connection: connection.fetchval(sql, *arguments))
        if body is None:
            raise NotFoundError(missing)
        assert isinstance(body, bytes)
        return body
