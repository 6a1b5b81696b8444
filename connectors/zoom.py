"""Zoom: who was in a meeting, and when. What really happened is said only where the report leaves no doubt.

Fields as https://developers.zoom.us/docs/api/ describes its reports of meetings and their participants.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from connectors.bookings import Amendment, moment

Span = tuple[datetime, datetime]


def session_of(
    meeting: Mapping[str, Any], sessions: Sequence[Mapping[str, Any]], tolerance: timedelta
) -> Mapping[str, Any] | None:
    """The tutor's session that the meeting was: the only one whose time fits; None if none does, or several."""
    start, end = moment(meeting["start_time"]), moment(meeting["end_time"])
    fitting = [session for session in sessions if start - tolerance <= moment(session["scheduled_time"]) <= end]
    return fitting[0] if len(fitting) == 1 else None


def amendment(
    session: Mapping[str, Any], host: str, participants: Iterable[Mapping[str, Any]], waited: timedelta
) -> Amendment | None:
    """What the participants of a session's meeting prove: it took place, or one of the two waited in vain.

    Args:
        host: the tutor's e-mail address at Zoom.
        waited: how long, after the time that was agreed on, somebody has to be alone.
    """
    there: dict[bool, list[Span]] = {True: [], False: []}
    for each in participants:
        is_host = (each.get("user_email") or "").lower() == host.lower()
        there[is_host].append((moment(each["join_time"]), moment(each["leave_time"])))
    begin = moment(session["scheduled_time"])
    together = _together(there[True], there[False])
    over = begin + timedelta(minutes=session.get("duration_minutes") or 0)
    at = max([over, *(end for spans in there.values() for _, end in spans)]).isoformat()
    if together:
        first, last = min(start for start, _ in together), max(end for _, end in together)
        changes = {"status": "completed", "initiator": None, "started_at": first.isoformat()}
        return Amendment(str(session["session_id"]), at, changes | {"completed_time": last.isoformat()})
    for is_host, missing in ((True, "student"), (False, "tutor")):
        alone = there[is_host]
        if alone and not there[not is_host] and max(end for _, end in alone) >= begin + waited:
            return Amendment(str(session["session_id"]), at, {"status": "no_show", "initiator": missing})
    return None


def _together(one: Sequence[Span], other: Sequence[Span]) -> list[Span]:
    """When both were there."""
    spans = ((max(a[0], b[0]), min(a[1], b[1])) for a in one for b in other)
    return [span for span in spans if span[0] < span[1]]
