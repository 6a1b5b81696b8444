"""SQL of single sessions, read from `raw`: a session is there with the 202 of its post, scored or not."""

from uuid import UUID

import asyncpg
from pydantic_core import from_json, to_json

from api.database import columns, with_app_tables
from api.paths import NO_SESSION
from api.problems import DeletedError, NotFoundError
from api.quarantine.sealing import with_opened_rows
from api.session_records.schemas import Load, RefusedOfSession, StoredMove
from core.settings import Settings

MOST_REFUSED = 50

# Rows in quarantine have the id as it was delivered: $2 if it was no UUID, else $1 in one of two spellings.
REFUSED = """
(
    select {rows}
    from (
        select {columns}
        from raw.quarantine as quarantine
        where quarantine.entity in ('sessions', 'reschedules')
            and quarantine.delivered_id = any(array[$1::uuid::text, upper($1::uuid::text), {external_id}])
            and {condition}
        order by quarantine.last_seen_at desc, quarantine.quarantine_id desc
        limit {most}
    ) as refused
)
"""
# A load, what it writes, and `loaded_at` have one time: that of the transaction.
FIND = f"""
select json_build_object(
    'data', (
        select found from (
            select
                sessions.session_id, sessions.external_id,
                sessions.tutor_id, tutors.external_id as tutor_external_id,
                sessions.student_id, students.external_id as student_external_id,
                sessions.scheduled_time, sessions.status, sessions.subject, sessions.booked_at, sessions.started_at,
                sessions.completed_time, sessions.cancelled_at, sessions.duration_minutes, sessions.rating,
                sessions.initiator, sessions.reason_code, sessions.technical_issue, sessions.updated_at,
                sessions.created_at, sessions.loaded_at,
                exists (select from app.excuses where session_id = sessions.session_id) as is_excused,
                (
                    select load from (
                        select {columns(Load, "loads")} from raw.loads as loads
                        where loads.entity = 'sessions' and loads.started_at = sessions.loaded_at
                        limit 1
                    ) as load
                ) as load,
                (
                    select coalesce(json_agg(moves), '[]') from (
                        select {columns(StoredMove, "moves")} from raw.reschedules as moves
                        where moves.session_id = sessions.session_id
                        order by moves.move_time
                    ) as moves
                ) as moves,
                {
    REFUSED.format(
        rows="coalesce(json_agg(refused), '[]')",
        columns=columns(RefusedOfSession, "quarantine"),
        external_id="sessions.external_id",
        condition="true",
        most=MOST_REFUSED,
    )
} as refused
        ) as found
    )
)
from raw.sessions as sessions
inner join raw.tutors as tutors on sessions.tutor_id = tutors.tutor_id
inner join raw.students as students on sessions.student_id = students.student_id
where sessions.session_id = $1
"""
WHY_NOT = f"""
select
    (select deleted_at from raw.deleted_sessions where session_id = $1) as deleted_at,
    {
    REFUSED.format(
        rows="count(*)",
        columns="quarantine_id",
        external_id="$2::text",
        condition="not quarantine.is_remark",
        most=MOST_REFUSED,
    )
} as refused
"""


class SessionRecords:
    """Reads `raw.sessions` and what belongs to it."""

    def __init__(self, pool: asyncpg.Pool, settings: Settings) -> None:
        self._pool = pool
        self._settings = settings

    async def find(self, session_id: UUID, external_id: str | None, *, with_texts: bool) -> bytes:
        """A `StoredSessionResponse` as JSON; without what people have written, unless `with_texts`.

        Raises:
            NotFoundError: there is none.
            DeletedError: there was one.
            DatabaseUnavailableError: the server cannot be reached, or not in time.
        """
        found = await with_app_tables(self._pool, lambda connection: connection.fetchval(FIND, session_id))
        if found is None:
            why = await with_app_tables(
                self._pool, lambda connection: connection.fetchrow(WHY_NOT, session_id, external_id)
            )
            if why["deleted_at"] is not None:
                raise DeletedError(f"The session was deleted at {why['deleted_at'].isoformat()}.")
            if why["refused"]:
                raise NotFoundError(f"{NO_SESSION} Rows of it were refused: see GET /api/quarantine with its id.")
            raise NotFoundError(NO_SESSION)
        assert isinstance(found, bytes)
        if not with_texts:
            return _without_texts(found)
        return await with_opened_rows(self._settings, found, "data", "refused")


def _without_texts(found: bytes) -> bytes:
    """For readers: reasons may speak of somebody's health, and refused rows have them, too."""
    body = from_json(found)
    for move in body["data"]["moves"]:
        move["reason"] = None
    for row in body["data"]["refused"]:
        row["content"] = None
    return to_json(body)
