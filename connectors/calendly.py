"""Calendly: events and invitees of its API (v2) and its webhooks. Hosts are tutors, invitees students, by e-mail.

Fields as https://developer.calendly.com/api-docs describes them. A booking that is moved is an invitee who is canceled
(`rescheduled`, `new_invitee`) and another one who is created (`old_invitee`); only the canceled one tells who moved it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connectors.bookings import Amendment, Booking, Cell, Initiator, Move, finished, minutes

SIGNATURE = "Calendly-Webhook-Signature"
EVENTS = ("invitee.created", "invitee.canceled", "invitee_no_show.created", "invitee_no_show.deleted")


def bookings(
    event: Mapping[str, Any], invitees: list[Mapping[str, Any]], moved_by: Initiator | None, now: datetime
) -> list[Booking]:
    """The invitees of an event."""
    return [booking(event, invitee, moved_by, now) for invitee in invitees]


def webhook(body: Mapping[str, Any], moved_by: Initiator | None, now: datetime) -> Booking | Amendment | None:
    """What a webhook tells; None if it tells nothing of an invitee."""
    payload = body.get("payload") or {}
    if body.get("event") not in EVENTS or not isinstance(payload.get("scheduled_event"), Mapping):
        return None
    return booking(payload["scheduled_event"], payload, moved_by, now, told_at=body.get("created_at"))


def booking(
    event: Mapping[str, Any],
    invitee: Mapping[str, Any],
    moved_by: Initiator | None,
    now: datetime,
    told_at: str | None = None,
) -> Booking:
    start, end = event["start_time"], event["end_time"]
    updated = max(told_at or "", invitee.get("updated_at") or invitee["created_at"])
    is_group = (event.get("invitees_counter") or {}).get("limit", 1) > 1
    identifier = _id(invitee["uri"], is_group)
    cancellation = invitee.get("cancellation") or {}
    is_moved = bool(invitee.get("rescheduled") and invitee.get("new_invitee"))
    by: Initiator | None = {"host": "tutor", "invitee": "student"}.get(cancellation.get("canceler_type", ""))  # type: ignore[assignment]
    session: dict[str, Cell] = {
        "tutor_id": event["event_memberships"][0].get("user_email"),
        "student_id": invitee["email"],
        "scheduled_time": start,
        "subject": event.get("name"),
        "booked_at": invitee["created_at"],
        "duration_minutes": minutes(start, end),
        "lesson_id": _part(event["uri"], "scheduled_events") if is_group else None,
    }
    if is_moved and (by or moved_by):
        requested = cancellation.get("created_at") or updated
        old = {**session, "status": "scheduled", "updated_at": invitee["created_at"]}
        move = Move(
            _id(invitee["new_invitee"], is_group), identifier, by or moved_by or "student", requested, start,
            reason=cancellation.get("reason") or None,
        )  # fmt: skip
        return Booking(identifier, old, move, is_old=True)
    if invitee["status"] == "canceled":
        session |= {
            "status": "cancelled",
            "initiator": by,
            "cancelled_at": cancellation.get("created_at"),
            "updated_at": updated,
        }
    elif invitee.get("no_show"):
        session |= {"status": "no_show", "initiator": "student", "updated_at": updated}
    else:
        session["status"], session["updated_at"] = finished(end, updated, now)
    before = invitee.get("old_invitee")
    return Booking(identifier, session, Move(identifier, _id(before, is_group)) if before else None)


def _part(uri: str, name: str) -> str:
    """What follows `name` in an address such as …/scheduled_events/A/invitees/B."""
    parts = uri.rstrip("/").split("/")
    return parts[parts.index(name) + 1]


def _id(invitee: str, is_group: bool) -> str:
    """The id of an event, as Calendly's export has it; of an event for several, with the invitee's."""
    event = _part(invitee, "scheduled_events")
    return f"{event}/{_part(invitee, 'invitees')}" if is_group else event
