"""Deletes sessions. What is deleted stays deleted: only a version that is newer than the deletion brings it back, or an
admin who overrides (decision 54)."""

from typing import Any
from uuid import UUID

import asyncpg
from pydantic_core import from_json

from api.audit_writer import record
from api.database import with_app_tables
from api.paths import NO_SESSION
from api.problems import BusyError, NotFoundError
from api.sessions.live import LiveScores
from core.audit import Action, Entry

# Locked in the order of all writers: the session, then its moves.
LOCK = "select to_jsonb(stored) from raw.sessions as stored where session_id = $1 for update"
DELETE_MOVES = """
with gone as (delete from raw.reschedules where session_id = $1 returning *)
select to_jsonb(gone) - '{session_id, move_time, reason}'::text[], updated_at from gone order by move_time
"""
DELETE_SESSION = "delete from raw.sessions where session_id = $1 returning updated_at"
IS_DELETED = "select exists (select from raw.deleted_sessions where session_id = $1)"
# Versions of before now are older than the deletion, and so are those that were deleted, from ahead of our clock.
NOTE = """
insert into raw.deleted_sessions as known (session_id, updated_at)
values ($1, greatest(now(), (select max(version) from unnest($2::timestamptz[]) as version)))
on conflict (session_id) do update
set updated_at = greatest(known.updated_at, excluded.updated_at), deleted_at = excluded.deleted_at
"""


class Deletions:
    """Takes sessions out of `raw`, and their scores along.

    Raises (every method):
        BusyError: somebody else has been writing the session for too long.
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    """

    def __init__(self, pool: asyncpg.Pool, live: LiveScores) -> None:
        self._pool = pool
        self._live = live

    async def delete(self, session_id: UUID, actor: str) -> None:
        """Delete a session and its moves; once more changes nothing. Its content goes to the audit log, but
        for what people have written.

        Raises:
            NotFoundError: there is no such session, and there was none.
        """

        async def work(connection: Any) -> None:
            async with connection.transaction():
                session = await connection.fetchval(LOCK, session_id)
                moves = await connection.fetch(DELETE_MOVES, session_id)
                if session is None and not moves:
                    if not await connection.fetchval(IS_DELETED, session_id):
                        raise NotFoundError(NO_SESSION)
                    return
                versions = [await connection.fetchval(DELETE_SESSION, session_id), *(move[1] for move in moves)]
                await connection.execute(NOTE, session_id, [version for version in versions if version is not None])
                details = {"session": _decoded(session), "moves": [_decoded(move[0]) for move in moves]}
                await record(connection, Entry(actor, Action.SESSION_DELETE, "session", str(session_id), details))
                left = await self._live.refresh(connection, [session_id])
            self._live.follow_up(left)

        try:
            await with_app_tables(self._pool, work)
        except asyncpg.LockNotAvailableError as error:
            raise BusyError("Somebody else is writing this just now.", headers={"Retry-After": "1"}) from error


def _decoded(content: str | None) -> Any:
    return None if content is None else from_json(content)
