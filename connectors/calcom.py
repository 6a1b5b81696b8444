"""cal.com: bookings of its API (v2, `GET /v2/bookings`) and of its webhooks.

Hosts are tutors and attendees are students, both by their e-mail address.

Fields as https://cal.com/docs/api-reference/v2/bookings/get-all-bookings and its page on webhooks describe them.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from connectors.bookings import Amendment, Booking, Cell, Initiator, Move, finished, minutes

VERSION = {"cal-api-version": "2024-08-13"}
SIGNATURE = "X-Cal-Signature-256"
CALLED_OFF = ("cancelled", "rejected")
# A webhook's status is told by what triggered it.
TRIGGERS = {
    "BOOKING_CREATED": "accepted",
    "BOOKING_REQUESTED": "pending",
    "BOOKING_RESCHEDULED": "accepted",
    "BOOKING_CANCELLED": "cancelled",
    "BOOKING_REJECTED": "rejected",
}


def bookings(items: Iterable[Mapping[str, Any]], moved_by: Initiator | None, now: datetime) -> list[Booking]:
    """What the API lists, as bookings. `moved_by`: who moves those of which cal.com does not say it."""
    by_uid = {item["uid"]: item for item in items}
    return [
        _booking(item, by_uid.get(item.get("rescheduledFromUid") or "", {}), moved_by, now) for item in by_uid.values()
    ]


def webhook(body: Mapping[str, Any], moved_by: Initiator | None, now: datetime) -> Booking | Amendment | None:
    """What a webhook tells; None if it tells nothing of a booking."""
    trigger, payload, at = body.get("triggerEvent"), body.get("payload") or {}, body.get("createdAt") or now.isoformat()
    if trigger == "BOOKING_NO_SHOW_UPDATED":
        absent = any(each.get("noShow") for each in payload.get("attendees") or ())
        changes: dict[str, Cell] = {"status": "no_show", "initiator": "student"}
        if not absent:
            changes = {"status": "completed", "initiator": None}
        return Amendment(payload["bookingUid"], at, changes)
    if trigger not in TRIGGERS or not payload.get("attendees"):
        return None
    earlier = payload.get("rescheduleUid")
    item = {
        "uid": payload["uid"],
        "status": TRIGGERS[trigger],
        "start": payload["startTime"],
        "end": payload["endTime"],
        "hosts": [payload["organizer"]],
        "attendees": payload["attendees"],
        "eventType": {"slug": payload.get("eventTitle") or payload.get("type")},
        "updatedAt": at,
        "cancelledByEmail": payload.get("cancelledBy"),
        "rescheduledFromUid": earlier if trigger == "BOOKING_RESCHEDULED" else None,
        "rescheduledByEmail": payload.get("rescheduledBy"),
        "createdAt": at if trigger != "BOOKING_CANCELLED" else None,
    }
    return _booking(item, {"start": payload.get("rescheduleStartTime")}, moved_by, now)


def _booking(item: Mapping[str, Any], before: Mapping[str, Any], moved_by: Initiator | None, now: datetime) -> Booking:
    start, end, updated = item["start"], item["end"], item.get("updatedAt") or item.get("createdAt") or now.isoformat()
    attendee = (item.get("attendees") or [{}])[0]
    status, updated_at, initiator = item["status"], updated, None
    if status in CALLED_OFF:
        status, initiator = "cancelled", _who(item, item.get("cancelledByEmail"))
    elif item.get("absentHost"):
        status, initiator = "no_show", "tutor"
    elif attendee.get("absent"):
        status, initiator = "no_show", "student"
    elif status == "pending":
        status = "scheduled"
    else:
        status, updated_at = finished(end, updated, now)
    session = {
        "tutor_id": item["hosts"][0]["email"] if item.get("hosts") else None,
        "student_id": attendee.get("email"),
        "scheduled_time": start,
        "status": status,
        "subject": (item.get("eventType") or {}).get("slug"),
        "booked_at": item.get("createdAt"),
        "cancelled_at": updated if status == "cancelled" else None,
        "duration_minutes": minutes(start, end),
        "initiator": initiator,
        "updated_at": updated_at,
    }
    return Booking(item["uid"], session, _move(item, before, moved_by, updated))


def _move(item: Mapping[str, Any], before: Mapping[str, Any], moved_by: Initiator | None, at: str) -> Move | None:
    """Of a booking of which nobody knows who moved it, none: it and the one before it stay two sessions."""
    earlier = item.get("rescheduledFromUid")
    by = _who(item, item.get("rescheduledByEmail") or before.get("rescheduledByEmail")) or moved_by
    if not earlier or by is None:
        return None
    requested = item.get("createdAt") or at
    reason = item.get("reschedulingReason")
    return Move(item["uid"], earlier, by, requested, before.get("start"), item["start"], reason)


def _who(item: Mapping[str, Any], email: str | None) -> Initiator | None:
    if not email:
        return None
    if email.lower() in {host.get("email", "").lower() for host in item.get("hosts") or ()}:
        return "tutor"
    return (
        "student" if email.lower() in {each.get("email", "").lower() for each in item.get("attendees") or ()} else None
    )
