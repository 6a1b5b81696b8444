"""Refreshes scores in the transaction that wrote the sessions, and never at the expense of writing them.

The SQL is `marts.refresh_sessions`, written by hand in `dbt_project/functions/marts/refresh_sessions.sql`; it reads the
views that a run reads. Whatever is not refreshed here waits in `raw.changes` for the next run, as every change does.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from itertools import islice
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from api.database import is_in_transaction

REFRESH_TUTORS = "select marts.refresh_tutors($1::uuid[])"
# A session costs two milliseconds by itself and half of one among others, and other posts wait meanwhile. Where more
# come together the line is long, so they are refreshed in transactions of their own, that many at a time. Bulk is left
# to the run, which does it more cheaply.
MOST_AT_ONCE = 32
MOST_AFTERWARDS = 64
BULK_SESSIONS = 1_000
MOST_WAITING = 2_000
# Their profiles alone, which cost little.
MOST_TUTORS = 200

# A dbt model at work on the same rows takes 0.1 s; only a rebuild takes longer.
LOCK_MILLISECONDS = 250
STATEMENT_MILLISECONDS = 500
BEGIN = (
    f"savepoint live; set local lock_timeout = {LOCK_MILLISECONDS}; "
    f"set local statement_timeout = {STATEMENT_MILLISECONDS}"
)
REFRESH = "select marts.refresh_sessions('{{{ids}}}')"
ROLLBACK = "rollback to savepoint live"

# Before each of these transactions. After a failure posts wait until one of them has succeeded, and pauses double.
PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 5.0
# Time works on these; on anything else only the next run does.
PASSING_ERRORS = (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError, asyncpg.DeadlockDetectedError)

log = structlog.get_logger("api")


class Refreshed(StrEnum):
    """What became of a session's scores, as far as live scores are concerned."""

    AT_ONCE = "at_once"
    SOON_AFTER = "soon_after"
    LEFT_TO_RUN = "left_to_run"


class LiveScores:
    """Refreshes the scores of one process's posts. `run` has to be running for what cannot be done at once."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        # Of committed sessions, each with a mark of its latest post; a dict, because it keeps their order.
        self._waiting: dict[UUID, object] = {}
        self._arrived = asyncio.Event()
        self._failures = 0
        self.sessions: Counter[Refreshed] = Counter()

    async def refresh(self, connection: Any, session_ids: Sequence[UUID]) -> Sequence[UUID]:
        """Refresh the scores of what the connection's transaction wrote: its last work before the commit.

        Never fails because of the scores, and takes `STATEMENT_MILLISECONDS` at most. Returns the sessions that are
        not refreshed, to be given to `follow_up` after the commit.
        """
        if not self._is_for_now(session_ids) or not await self._try(connection, session_ids):
            return session_ids
        self.sessions[Refreshed.AT_ONCE] += len(session_ids)
        return ()

    async def commit(self, connection: Any, session_ids: Sequence[UUID]) -> Sequence[UUID]:
        """As `refresh`, and commit in the same message. The transaction was begun by `begin`: asyncpg would commit
        its own a second time."""
        if not self._is_for_now(session_ids):
            await connection.execute("commit")
            return session_ids
        if not await self._try(connection, session_ids, then="commit"):
            return session_ids
        self.sessions[Refreshed.AT_ONCE] += len(session_ids)
        return ()

    async def refresh_tutors(self, connection: Any, tutor_ids: Sequence[UUID]) -> None:
        """Refresh what is shown of tutors whom the connection's transaction has changed: its last work before the
        commit. Many at a time, and what cannot be refreshed now, are left to the next run."""
        if len(tutor_ids) > MOST_TUTORS:
            return
        await connection.execute(BEGIN)
        try:
            await connection.fetchval(REFRESH_TUTORS, tutor_ids)
        except asyncpg.PostgresError as error:
            await connection.execute(ROLLBACK)
            log.info("tutors not refreshed live", error=type(error).__qualname__)

    def follow_up(self, session_ids: Sequence[UUID]) -> None:
        """Refresh these committed sessions as soon as it can be, or leave them to the next run if they are many."""
        if not session_ids:
            return
        if len(session_ids) > BULK_SESSIONS:
            self.sessions[Refreshed.LEFT_TO_RUN] += len(session_ids)
            return
        self._waiting |= dict.fromkeys(session_ids, object())
        for session_id in list(self._waiting)[: max(0, len(self._waiting) - MOST_WAITING)]:
            del self._waiting[session_id]
            self.sessions[Refreshed.LEFT_TO_RUN] += 1
        self._arrived.set()

    async def run(self) -> None:
        """Refresh what was left over, a transaction at a time, until cancelled. No failure ends it."""
        while True:
            await self._arrived.wait()
            await asyncio.sleep(min(PAUSE_SECONDS * 2 ** min(self._failures, 10), LONGEST_PAUSE_SECONDS))
            # Fewer after a failure: what took too long may be too much at a time.
            taken = dict(islice(self._waiting.items(), max(1, MOST_AFTERWARDS >> self._failures)))
            try:
                async with self._pool.acquire(timeout=LONGEST_PAUSE_SECONDS) as connection, connection.transaction():
                    is_done = await self._try(connection, list(taken))
            except Exception as error:  # the database is away, say; the posts have their own word on that
                self._failed(error)
                is_done = False
            if is_done:
                for session_id, mark in taken.items():
                    # Posted again meanwhile, it may have been read too early.
                    if self._waiting.get(session_id) is mark:
                        del self._waiting[session_id]
                self.sessions[Refreshed.SOON_AFTER] += len(taken)
            if not self._waiting:
                self._arrived.clear()

    def _is_for_now(self, session_ids: Sequence[UUID]) -> bool:
        return 0 < len(session_ids) <= MOST_AT_ONCE and not self._failures

    async def _try(self, connection: Any, session_ids: Sequence[UUID], then: str = "") -> bool:
        # One message: the ids stand in it, because parameters would take a message of their own.
        refresh = REFRESH.format(ids=",".join(map(str, session_ids)))
        try:
            await connection.execute(f"{BEGIN}; {refresh}; {then}")
        except asyncpg.PostgresError as error:
            if not is_in_transaction(connection):
                raise  # what failed is `then`, or the connection
            await connection.execute(f"{ROLLBACK}; {then}")
            self._failed(error)
            return False
        self._failures = 0
        return True

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        if not isinstance(error, PASSING_ERRORS):
            self.sessions[Refreshed.LEFT_TO_RUN] += len(self._waiting)
            self._waiting.clear()
        if self._failures == 1:
            # A lock is an everyday matter. The message may contain values of a row.
            note = log.info if isinstance(error, PASSING_ERRORS) else log.warning
            note("scores not refreshed live", error=type(error).__qualname__)
