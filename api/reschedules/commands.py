"""Excuses, each written together with its entry in the audit log. Rescoring follows from a trigger on the table."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from uuid import UUID

import asyncpg

from api.audit_writer import record
from api.database import with_connection
from api.problems import ConflictError, DatabaseUnavailableError, NotFoundError
from api.reschedules.schemas import Excuse
from api.sessions.live import LiveScores
from core.audit import Action, Entry

HAS_RESCHEDULE = "select exists (select from raw.reschedules where session_id = $1)"
FIND = "select session_id, reason, created_by, created_at from app.excuses where session_id = $1"
ADD = """
insert into app.excuses (session_id, reason, created_by) values ($1, $2, $3)
on conflict (session_id) do nothing
returning session_id, reason, created_by, created_at
"""
REMOVE = "delete from app.excuses where session_id = $1 returning reason, created_by"

Result = TypeVar("Result")


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
            NotFoundError: the session has no reschedule.
            ConflictError: it is excused for another reason.
        """

        async def work(connection: Any) -> tuple[Excuse, bool]:
            async with connection.transaction():
                if not await connection.fetchval(HAS_RESCHEDULE, session_id):
                    raise NotFoundError("There is no reschedule of a session with this id.")
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
        """Count the reschedule again.

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

    async def _run(self, work: Callable[[Any], Awaitable[Result]]) -> Result:
        try:
            return await with_connection(self._pool, work)
        except asyncpg.UndefinedTableError as error:
            raise DatabaseUnavailableError("Its migrations have not been run yet.") from error
