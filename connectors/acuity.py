"""Acuity Scheduling: appointments of its API (v1). Calendars are tutors, clients are students, by e-mail.

Fields as https://developers.acuityscheduling.com/reference describes them. An appointment that is moved keeps its id.
Acuity says neither who canceled nor who moved one, nor when: it counts against nobody.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connectors.bookings import Booking, Cell, moment

URL = "https://acuityscheduling.com"
SIGNATURE = "X-Acuity-Signature"
# Of its webhooks; `changed` comes with each of the others, too.
ACTIONS = ("scheduled", "rescheduled", "canceled", "changed")


def booking(item: Mapping[str, Any], now: datetime) -> Booking:
    """An appointment. Its version is the moment at which it was read, because Acuity states none."""
    start = moment(item["datetime"])
    length = int(item.get("duration") or 0)
    is_over = (now - start).total_seconds() > 60 * length
    status, initiator = ("completed" if is_over else "scheduled"), None
    if item.get("noShow"):
        status, initiator = "no_show", "student"
    elif item.get("canceled"):
        status = "cancelled"
    session: dict[str, Cell] = {
        "tutor_id": item["calendar"],
        "student_id": item["email"],
        "scheduled_time": start.isoformat(),
        "status": status,
        "subject": item.get("type"),
        "booked_at": moment(item["datetimeCreated"]).isoformat() if item.get("datetimeCreated") else None,
        "duration_minutes": length or None,
        "initiator": initiator,
        "updated_at": now.isoformat(),
    }
    return Booking(str(item["id"]), session)
