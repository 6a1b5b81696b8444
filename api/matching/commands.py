"""Changes of people, each written together with its entry in the audit log, by the merge of the file loader.

A person has no version: the last writer wins, column by column, be it a file or a request (decision 25).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from api.audit_writer import record
from api.database import with_connection
from api.matching.schemas.people import StudentPatch, StudentPost, TutorPatch
from api.paths import NO_STUDENT, NO_TUTOR
from api.problems import BusyError, ConflictError, DatabaseUnavailableError, NotFoundError
from core.audit import Action, Entry
from ingest.contract import STUDENTS, TUTORS, Entity
from ingest.ids import entity_uuid, external_id
from ingest.merge import MergeSql
from ingest.parser import staged_columns

SOURCE = "api"
RAISE_VERSION = "update ml.prediction_version set version = version + 1, changed_at = now()"

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Kind:
    """What the log calls them, and what is said if there is nobody with an id."""

    name: str
    entity: Entity
    missing: str
    change: Action


STUDENT = _Kind("student", STUDENTS, NO_STUDENT, Action.STUDENT_CHANGE)
TUTOR = _Kind("tutor", TUTORS, NO_TUTOR, Action.TUTOR_CHANGE)


class People:
    """Writes `raw.students` and `raw.tutors`. What matching shows of them follows with the commit.

    Raises (every method):
        BusyError: somebody else has been writing the same person for too long.
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def add_student(self, post: StudentPost, actor: str) -> UUID:
        """The id of the new student. A student known only from sessions is described by this, and counts as new.

        Raises:
            ConflictError: there is one with this id.
        """
        student_id = entity_uuid(post.student_id)
        values = post.model_dump(exclude={"student_id"}, exclude_unset=True)

        async def work(connection: Any) -> None:
            async with connection.transaction():
                stored = await _stored(connection, STUDENT, student_id)
                if stored is not None and not stored["is_stub"]:
                    raise ConflictError("There is a student with this id; change them with PATCH.")
                changed = await _merge(connection, STUDENT, student_id, external_id(post.student_id), values)
                if not changed:  # somebody else was faster, with the same content
                    raise ConflictError("There is a student with this id; change them with PATCH.")
                details = {"fields": sorted(values)}
                await record(connection, Entry(actor, Action.STUDENT_ADD, STUDENT.name, str(student_id), details))
                await connection.execute(RAISE_VERSION)

        await self._run(work)
        return student_id

    async def change_student(self, student_id: UUID, patch: StudentPatch, actor: str) -> bool:
        """Whether this changed anything.

        Raises:
            NotFoundError: there is no such student.
        """
        return await self._change(STUDENT, student_id, patch.model_dump(exclude_unset=True), actor)

    async def change_tutor(self, tutor_id: UUID, patch: TutorPatch, actor: str) -> bool:
        """Whether this changed anything.

        Raises:
            NotFoundError: there is no such tutor.
        """
        return await self._change(TUTOR, tutor_id, patch.model_dump(exclude_unset=True), actor)

    async def _change(self, kind: _Kind, person_id: UUID, values: Values, actor: str) -> bool:
        async def work(connection: Any) -> bool:
            async with connection.transaction():
                stored = await _stored(connection, kind, person_id)
                if stored is None:
                    raise NotFoundError(kind.missing)
                if not values or not await _merge(connection, kind, person_id, None, values):
                    return False
                changed = await _stored(connection, kind, person_id)
                details = {
                    name: {"from": stored[name], "to": changed[name]}
                    for name in values
                    if stored[name] != changed[name]
                }
                await record(connection, Entry(actor, kind.change, kind.name, str(person_id), details))
                await connection.execute(RAISE_VERSION)
                return True

        return bool(await self._run(work))

    async def _run(self, work: Any) -> Any:
        try:
            return await with_connection(self._pool, work)
        except asyncpg.UndefinedTableError as error:
            raise DatabaseUnavailableError("Its migrations have not been run yet.") from error
        except asyncpg.LockNotAvailableError as error:
            raise BusyError("Somebody else is writing this just now.", headers={"Retry-After": "1"}) from error


async def _stored(connection: Any, kind: _Kind, person_id: UUID) -> Any:
    """The row, locked until the end of the transaction; None if there is none."""
    entity = kind.entity
    return await connection.fetchrow(f"select * from {entity.table} where {entity.key} = $1 for update", person_id)


async def _merge(connection: Any, kind: _Kind, person_id: UUID, external: str | None, values: Values) -> bool:
    """Write these columns as a landing file of one row would. Whether that changed anything."""
    merge = MergeSql(kind.entity, staged_columns(kind.entity, {kind.entity.key, *values}))
    cells = {
        "line": 0,
        kind.entity.key: person_id,
        "external_id": external,
        **{name: ";".join(value) if isinstance(value, list) else value for name, value in values.items()},
    }
    arrays = ([cells[name]] for name in merge.staged_names)
    merged = await connection.fetch(merge.merge_given(are_distinct=True), *arrays)
    return any(is_changed for _, is_changed in merged)
