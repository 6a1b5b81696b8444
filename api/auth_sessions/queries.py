"""Sessions as they are listed and ended: one's own, or everybody's."""

from typing import Any

import asyncpg

from api.audit_writer import record
from api.auth_sessions.schemas import ListedSession
from api.browser_sessions import BrowserCaller
from api.callers import AnyCaller
from api.database import with_app_tables
from api.key_ring import Caller
from api.problems import ForbiddenError, NotFoundError
from core.browser_sessions import END, LIST, ended_entry, values
from core.roles import Role


class Sessions:
    """Reads and ends `app.browser_sessions`. Admins see everybody's, others their own.

    Raises (every method):
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def listed(self, caller: AnyCaller, *, everybody: bool) -> list[ListedSession]:
        """Those that are open, the one used last first."""
        whose = (None, None) if everybody else _own(caller)
        rows = await with_app_tables(self._pool, lambda connection: connection.fetch(LIST, *values(*whose)))
        current = caller.browser_session_id if isinstance(caller, BrowserCaller) else None
        return [
            ListedSession.model_validate({**row, "is_current": row["browser_session_id"] == current}) for row in rows
        ]

    async def end(self, caller: AnyCaller, session_id: int) -> None:
        """End one session.

        Raises:
            NotFoundError: it is over, or not one that the caller may end.
        """
        whose = (None, None) if caller.role is Role.ADMIN else _own(caller)
        if not await self._end(caller, whose, session_id):
            raise NotFoundError("There is no open session of yours with this id.")

    async def end_all(self, caller: AnyCaller, person_id: int | None) -> None:
        """End all sessions of a person; by default the caller's own, also the one that asks."""
        await self._end(caller, _own(caller) if person_id is None else (person_id, None), None)

    async def _end(self, caller: AnyCaller, whose: tuple[int | None, int | None], session_id: int | None) -> bool:
        async def work(connection: Any) -> bool:
            async with connection.transaction():
                ended = await connection.fetch(END, *values(*whose, session_id))
                entries = [
                    ended_entry(caller.actor, row["browser_session_id"], row["name"], row["person_id"]) for row in ended
                ]
                await record(connection, *entries)
            return bool(ended)

        return await with_app_tables(self._pool, work)


def _own(caller: AnyCaller) -> tuple[int | None, int | None]:
    """Whose sessions are the caller's: a person's, or else a key's."""
    match caller:
        case BrowserCaller():
            return caller.person_id, caller.api_key_id
        case Caller():
            return None, caller.key_id
    raise ForbiddenError("Programs with a token have no sessions.")
