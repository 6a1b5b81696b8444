"""Excuses, each written together with its entry in the audit log. Rescoring follows from a trigger on the table."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from typing import Any, TypeVar
from uuid import UUID

import asyncpg

from api.audit_writer import record
from api.database import with_connection
from api.excuses.schemas import DayExcuses, Excuse
from api.problems import ConflictError, DatabaseUnavailableError, NotFoundError
from api.sessions.live import LiveScores
from core.audit import Action, Entry

CAN_BE_EXCUSED = """
select
    exists (select from raw.reschedules where session_id = $1)
    or exists (select from raw.sessions where session_id = $1 and status in ('cancelled', 'no_show'))
"""
FIND = "select session_id, reason, created_by, created_at from app.excuses where session_id = $1"
ADD = """
insert into app.excuses (session_id, reason, created_by) values ($1, $2, $3)
on conflict (session_id) do nothing
returning session_id, reason, created_by, created_at
"""
# The sessions of a day are those that count on it.
OF_DAY = """
select session_id from marts.fct_sessions
where tutor_id = $1 and counted_on = $2 and is_final and caused_by = 'tutor'
"""
FIND_ALL = """
select session_id, reason, created_by, created_at from app.excuses where session_id = any($1) order by session_id
"""
ADD_ALL = """
insert into app.excuses (session_id, reason, created_by) select unnest($1::uuid[]), $2, $3
on conflict (session_id) do nothing
returning session_id
"""
REMOVE_ALL = "delete from app.excuses where session_id = any($1) returning session_id, reason, created_by"
REMOVE = "delete from app.excuses where session_id = $1 returning reason, created_by"

Result = TypeVar("Result")


async def excuse_all(
    connection: Any, session_ids: Sequence[UUID], reason: str, actor: str, **details: object
) -> list[UUID]:
    """Excuse sessions in the transaction of the connection, whose last work is to refresh the scores. What is excused
    already keeps its reason. Returns what is new; `details` goes to the audit log."""
    added = sorted(row["session_id"] for row in await connection.fetch(ADD_ALL, session_ids, reason, actor))
    noted = {"reason": reason, **details}
    await record(connection, *(Entry(actor, Action.EXCUSE_ADD, "session", str(each), noted) for each in added))
    return added


class Excuses:
    """Reads and writes `app.excuses`.

    Raises (every method):
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    """

    def __init__(self, pool: asyncpg.Pool, live: LiveScores) -> None:
        self._pool = pool
        self._live = live

    async def add(self, session_id: UUID, reason: str, actor: str) -> tuple[Excuse, bool]:
        """The excuse, and whether it is new; the same reason again changes nothing.

        Raises:
            NotFoundError: the session was not moved, cancelled or missed.
            ConflictError: it is excused for another reason.
        """

        async def work(connection: Any) -> tuple[Excuse, bool]:
            async with connection.transaction():
                if not await connection.fetchval(CAN_BE_EXCUSED, session_id):
                    raise NotFoundError("No session with this id was moved, cancelled or missed.")
                added = await connection.fetchrow(ADD, session_id, reason, actor)
                if added is None:
                    found = await connection.fetchrow(FIND, session_id)
                    if found is None or found["reason"] != reason:
                        raise ConflictError("It is excused already, for another reason; delete that excuse first.")
                    return Excuse.model_validate(dict(found)), False
                entry = Entry(actor, Action.EXCUSE_ADD, "session", str(session_id), {"reason": reason})
                await record(connection, entry)
                left = await self._live.refresh(connection, [session_id])
            self._live.follow_up(left)
            return Excuse.model_validate(dict(added)), True

        return await self._run(work)

    async def remove(self, session_id: UUID, actor: str) -> None:
        """Count the session again.

        Raises:
            NotFoundError: it is not excused.
        """

        async def work(connection: Any) -> None:
            async with connection.transaction():
                removed = await connection.fetchrow(REMOVE, session_id)
                if removed is None:
                    raise NotFoundError("There is no excuse for a session with this id.")
                entry = Entry(actor, Action.EXCUSE_REMOVE, "session", str(session_id), dict(removed))
                await record(connection, entry)
                left = await self._live.refresh(connection, [session_id])
            self._live.follow_up(left)

        await self._run(work)

    async def find(self, session_id: UUID) -> Excuse:
        """Why a session is excused, by whom and when.

        Raises:
            NotFoundError: it is not excused.
        """
        found = await self._run(lambda connection: connection.fetchrow(FIND, session_id))
        if found is None:
            raise NotFoundError("There is no excuse for a session with this id.")
        return Excuse.model_validate(dict(found))

    async def add_day(self, tutor_id: UUID, day: date, reason: str, actor: str) -> tuple[DayExcuses, bool]:
        """All excuses of the day, and whether any is new; what is excused already keeps its reason.

        Raises:
            NotFoundError: the tutor moved, cancelled or missed nothing that counts on this day.
        """

        async def work(connection: Any) -> tuple[DayExcuses, bool]:
            async with connection.transaction():
                session_ids = await self._of_day(connection, tutor_id, day)
                added = await excuse_all(connection, session_ids, reason, actor, day=day.isoformat())
                found = await connection.fetch(FIND_ALL, session_ids)
                left = await self._live.refresh(connection, added)
            self._live.follow_up(left)
            return DayExcuses.model_validate({"data": [dict(row) for row in found]}), bool(added)

        return await self._run(work)

    async def remove_day(self, tutor_id: UUID, day: date, actor: str) -> None:
        """Count all sessions of the day again.

        Raises:
            NotFoundError: none of them is excused.
        """

        async def work(connection: Any) -> None:
            async with connection.transaction():
                session_ids = await self._of_day(connection, tutor_id, day)
                removed = await connection.fetch(REMOVE_ALL, session_ids)
                if not removed:
                    raise NotFoundError("Nothing is excused that counts on this day.")
                await record(
                    connection,
                    *(
                        Entry(actor, Action.EXCUSE_REMOVE, "session", str(row["session_id"]), dict(row))
                        for row in removed
                    ),
                )
                left = await self._live.refresh(connection, [row["session_id"] for row in removed])
            self._live.follow_up(left)

        await self._run(work)

    async def _of_day(self, connection: Any, tutor_id: UUID, day: date) -> list[UUID]:
        """The sessions that the tutor moved, cancelled or missed, excused or not."""
        session_ids = [row["session_id"] for row in await connection.fetch(OF_DAY, tutor_id, day)]
        if not session_ids:
            raise NotFoundError("The tutor moved, cancelled or missed nothing that counts on this day.")
        return session_ids

    async def _run(self, work: Callable[[Any], Awaitable[Result]]) -> Result:
        try:
            return await with_connection(self._pool, work)
        except asyncpg.UndefinedTableError as error:
            raise DatabaseUnavailableError("Its migrations have not been run yet, or nothing is scored yet.") from error
