"""Which tutors a person may change something for: a coach for those of their own team, everybody else who may at all
for any. What a role may do otherwise, `auth` says."""

from uuid import UUID

import asyncpg

from api.browser_sessions import BrowserCaller
from api.callers import AnyCaller
from api.database import with_app_tables
from api.problems import ForbiddenError
from core.roles import Role

THEIRS = "select tutor_id from app.person_tutors where person_id = $1 order by tutor_id"
HAS_TUTOR = "select exists (select from app.person_tutors where person_id = $1 and tutor_id = $2)"
HAS_SESSION = """
select exists (
    select from raw.sessions as held inner join app.person_tutors as theirs on held.tutor_id = theirs.tutor_id
    where held.session_id = $2 and theirs.person_id = $1
)
"""
NOT_THEIRS = "You can change this for your own tutors only. A lead can do it, or an admin can make the tutor yours."


class Teams:
    """Reads `app.person_tutors`.

    Raises (every method):
        ForbiddenError: the caller is a coach, and the tutor is not theirs.
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def of(self, caller: AnyCaller) -> list[UUID] | None:
        """The tutors that the caller is bound to; None if the caller is no coach."""
        if caller.role is not Role.COACH:
            return None
        rows = await with_app_tables(self._pool, lambda connection: connection.fetch(THEIRS, _person(caller)))
        return [row["tutor_id"] for row in rows]

    async def check_tutor(self, caller: AnyCaller, tutor_id: UUID) -> None:
        """Before something of this tutor is changed."""
        await self._check(caller, HAS_TUTOR, tutor_id)

    async def check_session(self, caller: AnyCaller, session_id: UUID) -> None:
        """Before something of this session is changed: its tutor is the one who counts."""
        await self._check(caller, HAS_SESSION, session_id)

    async def _check(self, caller: AnyCaller, query: str, wanted: UUID) -> None:
        if caller.role is not Role.COACH:
            return
        if not await with_app_tables(
            self._pool, lambda connection: connection.fetchval(query, _person(caller), wanted)
        ):
            raise ForbiddenError(NOT_THEIRS)


def _person(caller: AnyCaller) -> int | None:
    return caller.person_id if isinstance(caller, BrowserCaller) else None
