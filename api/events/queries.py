"""Reads `app.events`. One statement each time, so that a cursor says exactly what has been read."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from api.database import with_app_tables
from api.events.cursor import Cursor
from api.problems import DatabaseUnavailableError
from core.browser_sessions import IDLE, LIVE, LONGEST
from core.events import EventKind

# Of one reading; a reader who has missed more reads everything anew.
MOST_EVENTS = 1_000
# What somebody wants to be told, also when the rest is read anew.
ALERTS = (EventKind.CONCERN_RAISED, EventKind.CONCERN_CLEARED, EventKind.SESSION_ALERT)
MOST_ALERTS = 100

# $1: since when; null reads nothing. $2: up to when; null is now. $3: kinds; null is all. $4: how many, the newest.
READ = """
with since as (
    select events.*
    from app.events_since($1::text::pg_snapshot) as events
    where
        ($2::text is null or pg_visible_in_snapshot(events.xact_id, $2::text::pg_snapshot))
        and ($3::text[] is null or events.kind = any($3))
    order by events.created_at desc, events.event_id desc
    limit $4
),

told as (
    select
        since.kind,
        since.tutor_id,
        since.created_at,
        since.event_id,
        jsonb_build_object('event_id', since.event_id, 'created_at', since.created_at)
        || case
            when since.tutor_id is null then '{}'
            else jsonb_build_object(
                'tutor', jsonb_build_object(
                    'tutor_id', since.tutor_id,
                    'external_id', coalesce(tutors.external_id, since.tutor_id::text),
                    'name', tutors.name
                )
            )
        end
        || (since.payload - 'tutor_external_id') as content
    from since
    left join raw.tutors as tutors on tutors.tutor_id = since.tutor_id
)

select
    app.events_history() as history,
    pg_current_snapshot()::text as snapshot,
    (select xact_id >= pg_snapshot_xmin($1::text::pg_snapshot) from app.forgotten_events) as has_gap,
    coalesce(
        (select json_agg(json_build_array(kind, tutor_id, content) order by created_at, event_id) from told), '[]'
    )::text as events
"""
FORGET = "select app.forget_events()"
OPEN_BROWSERS = f"""
with live as ({LIVE})

select browser_session_id, role from live where browser_session_id = any($1::bigint[])
"""
TEAMS = "select person_id, tutor_id from app.person_tutors where person_id = any($1::bigint[])"


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `content` is what is told of it, as JSON would have it."""

    kind: EventKind
    tutor_id: UUID | None
    content: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """What has been read, oldest first, up to the cursor.

    `has_gap`: some of what was asked for is not there any more, or there is too much of it."""

    cursor: Cursor
    events: Sequence[Event]
    has_gap: bool


class Ledger:
    """Reads events, and who may still hear of them.

    Raises (every method):
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def read(self, since: Cursor | None, until: Cursor | None = None) -> Reading:
        """What has been committed since one cursor, up to another or to now; without the first, nothing but the cursor
        of now."""
        found = await self._read(since, until, None, MOST_EVENTS + 1)
        is_of_now = since is None or found.cursor.history == since.history
        if since is None or (is_of_now and not found.has_gap and len(found.events) <= MOST_EVENTS):
            return found
        # Of another history nothing can be told apart.
        alerts = (await self._read(since, until, ALERTS, MOST_ALERTS)).events if is_of_now else ()
        return Reading(found.cursor, alerts, has_gap=True)

    async def forget(self) -> int:
        """Delete what nobody needs any more; how many that were."""
        return int(await with_app_tables(self._pool, lambda connection: connection.fetchval(FORGET)))

    async def roles_of_open_browsers(self, browser_session_ids: Sequence[int]) -> Mapping[int, str]:
        """Those of these sessions that are open, with their roles as of now. Does not keep them open."""
        rows = await with_app_tables(
            self._pool, lambda connection: connection.fetch(OPEN_BROWSERS, browser_session_ids, IDLE, LONGEST)
        )
        return {row["browser_session_id"]: row["role"] for row in rows}

    async def teams(self, person_ids: Sequence[int]) -> Mapping[int, frozenset[UUID]]:
        """The tutors of each of these people."""
        rows = await with_app_tables(self._pool, lambda connection: connection.fetch(TEAMS, person_ids))
        teams: dict[int, set[UUID]] = {person_id: set() for person_id in person_ids}
        for row in rows:
            teams[row["person_id"]].add(row["tutor_id"])
        return {person_id: frozenset(tutors) for person_id, tutors in teams.items()}

    async def _read(
        self, since: Cursor | None, until: Cursor | None, kinds: Sequence[EventKind] | None, most: int
    ) -> Reading:
        arguments = (since and since.snapshot, until and until.snapshot, kinds and list(kinds), most)
        try:
            row = await with_app_tables(self._pool, lambda connection: connection.fetchrow(READ, *arguments))
        except asyncpg.UndefinedFunctionError as error:
            raise DatabaseUnavailableError("Its migrations have not been run yet.") from error
        except asyncpg.ObjectNotInPrerequisiteStateError as error:
            # After a failover, say. Its snapshots lack what is in progress, so no event must be read by them.
            raise DatabaseUnavailableError("It is a standby, and events are read from the primary.") from error
        events = [
            Event(EventKind(kind), None if tutor_id is None else UUID(tutor_id), content)
            for kind, tutor_id, content in json.loads(row["events"])
        ]
        return Reading(Cursor(row["history"], row["snapshot"]), events, bool(row["has_gap"]))
