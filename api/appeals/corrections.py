"""A granted appeal can correct the record of a session: as a newer version of the session and of its moves."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from api.appeals.schemas import Correction
from core.appeals import Happened
from ingest.rows import RESCHEDULE_SQL, SESSION_SQL, Row

# Locked in the order of all writers: the session, then its moves.
SESSION = """
select sessions.*, tutors.external_id as tutor_name, students.external_id as student_name
from raw.sessions as sessions
inner join raw.tutors as tutors on sessions.tutor_id = tutors.tutor_id
inner join raw.students as students on sessions.student_id = students.student_id
where sessions.session_id = $1
for update of sessions
"""
MOVES = """
select * from raw.reschedules where session_id = $1 and initiator = 'tutor' order by move_time for update
"""
MOVE = RESCHEDULE_SQL.staged_names[1:]
NO_MOVE: list[tuple[Any, ...] | None] = [None]
# A version has to be newer than those it replaces, and theirs may be ahead of our clock.
TICK = timedelta(microseconds=1)
STILL_COUNTS = {
    Happened.MISSED: "would still count as missed by the tutor; give status completed, or caused_by",
    Happened.CANCELLED: "would still count as cancelled by the tutor; give status completed, or caused_by",
    Happened.MOVED: "would still count as moved by the tutor; give caused_by",
    Happened.LATE: "would still count as a late start; give began_on_time",
}


class StillCountsError(Exception):
    """The session would count against the tutor all the same."""


def still_counts(happened: Happened, wanted: Correction) -> str | None:
    """Why the session would count against the tutor all the same; None if it would not."""
    ends = {
        Happened.MISSED: wanted.status == "completed" or wanted.caused_by is not None,
        Happened.CANCELLED: wanted.status == "completed" or wanted.caused_by is not None,
        Happened.MOVED: wanted.caused_by is not None,
        Happened.LATE: wanted.began_on_time,
    }
    return None if ends[happened] else STILL_COUNTS[happened]


async def corrected(connection: Any, wanted: Correction, now: datetime) -> tuple[list[Row], dict[str, Any]]:
    """The rows that correct a session, and what changes, for the audit log. Locks what it reads.

    Raises:
        LookupError: there is no such session any more.
        StillCountsError: its tutor has moved it as well, which would count on.
    """
    stored = await connection.fetchrow(SESSION, wanted.session_id)
    if stored is None:
        raise LookupError
    moves = await connection.fetch(MOVES, wanted.session_id)
    if moves and wanted.caused_by is None:
        raise StillCountsError
    changes = _changes(stored, wanted)
    versions = [row["updated_at"] + TICK for row in (stored, *moves) if row["updated_at"] is not None]
    version = max([now, *versions])
    session = {**stored, **changes, "updated_at": version}
    values = tuple(session[name] for name in SESSION_SQL.staged_names[1:])
    tutor = stored["tutor_id"], stored["tutor_name"]
    student = stored["student_id"], stored["student_name"]
    moved: list[tuple[Any, ...] | None] = [
        tuple({**move, "initiator": wanted.caused_by, "updated_at": version}[name] for name in MOVE) for move in moves
    ]
    noted: dict[str, Any] = {name: {"from": stored[name], "to": value} for name, value in changes.items()}
    if moves:
        noted["moves"] = {"from": "tutor", "to": wanted.caused_by, "count": len(moves)}
    return [Row(values, each, tutor, student) for each in moved or NO_MOVE], noted


def _changes(stored: Mapping[str, Any], wanted: Correction) -> dict[str, Any]:
    """The columns of the session that get another value."""
    status = wanted.status or stored["status"]
    changed: dict[str, Any] = {"status": status}
    if status in ("cancelled", "no_show"):
        changed["initiator"] = wanted.caused_by or stored["initiator"]
    elif wanted.status is not None:
        changed |= {"initiator": None, "cancelled_at": None}
    if wanted.began_on_time:
        changed["started_at"] = stored["scheduled_time"]
    return {name: value for name, value in changed.items() if value != stored[name]}
