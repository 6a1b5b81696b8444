"""Bookings as cal.com, Calendly and Acuity tell of them; field by field as their documentation shows it."""

import base64
import hmac
import json
import time
from datetime import datetime
from typing import Any

HOST, GUEST = "ann@example.org", "kid@example.org"
KEY = "the webhook's secret"


def calcom(uid: str, start: datetime, end: datetime, updated: datetime, **more: Any) -> dict[str, Any]:
    """Of `GET /v2/bookings`."""
    return {
        "id": 1, "uid": uid, "title": "Maths between Ann and Kid", "status": "accepted",
        "hosts": [{"id": 1, "name": "Ann", "email": HOST, "username": "ann", "timeZone": "UTC"}],
        "start": iso(start), "end": iso(end), "duration": 60, "eventTypeId": 50,
        "eventType": {"id": 1, "slug": "maths"},
        "absentHost": False, "createdAt": "2026-01-01T09:00:00.000Z", "updatedAt": iso(updated),
        "attendees": [{"name": "Kid", "email": GUEST, "timeZone": "UTC", "language": "en", "absent": False}],
        **more,
    }  # fmt: skip


def calcom_event(trigger: str, uid: str, start: datetime, end: datetime, at: datetime, **more: Any) -> dict[str, Any]:
    """As its webhook."""
    return {
        "triggerEvent": trigger,
        "createdAt": iso(at),
        "payload": {
            "type": "maths", "title": "Maths between Ann and Kid", "startTime": iso(start), "endTime": iso(end),
            "organizer": {"id": 1, "name": "Ann", "email": HOST, "timeZone": "UTC", "language": {"locale": "en"}},
            "attendees": [{"email": GUEST, "name": "Kid", "timeZone": "UTC", "language": {"locale": "en"}}],
            "uid": uid, "status": "ACCEPTED", **more,
        },
    }  # fmt: skip


def calendly_event(number: str, start: datetime, end: datetime, updated: datetime, **more: Any) -> dict[str, Any]:
    """Of `GET /scheduled_events`."""
    return {
        "uri": f"https://api.calendly.com/scheduled_events/{number}", "name": "Maths", "status": "active",
        "start_time": iso(start), "end_time": iso(end), "event_type": "https://api.calendly.com/event_types/M",
        "invitees_counter": {"total": 1, "active": 1, "limit": 1}, "created_at": "2026-01-01T09:00:00.000000Z",
        "updated_at": iso(updated),
        "event_memberships": [{"user": "https://api.calendly.com/users/A", "user_email": HOST, "user_name": "Ann"}],
        **more,
    }  # fmt: skip


def calendly_invitee(number: str, updated: datetime, invitee: str = "I", **more: Any) -> dict[str, Any]:
    """Of `GET /scheduled_events/NUMBER/invitees`."""
    return {
        "uri": f"https://api.calendly.com/scheduled_events/{number}/invitees/{invitee}", "email": GUEST, "name": "Kid",
        "event": f"https://api.calendly.com/scheduled_events/{number}", "status": "active", "rescheduled": False,
        "old_invitee": None, "new_invitee": None, "no_show": None, "created_at": "2026-01-01T09:00:00.000000Z",
        "updated_at": iso(updated), **more,
    }  # fmt: skip


def acuity(number: int, start: datetime, **more: Any) -> dict[str, Any]:
    """Of `GET /api/v1/appointments`."""
    return {
        "id": number, "firstName": "Kid", "lastName": "X", "email": GUEST, "date": "January 5, 2026", "time": "3:00pm",
        "datetime": f"{start:%Y-%m-%dT%H:%M:%S%z}", "datetimeCreated": "2026-01-01T09:00:00-0600", "type": "Maths",
        "duration": "60", "calendar": "Ann", "calendarID": 9, "canceled": False, **more,
    }  # fmt: skip


def iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"


def digest(message: bytes, key: str = KEY) -> bytes:
    return hmac.new(key.encode(), message, "sha256").digest()


def signed_by_calcom(body: bytes) -> dict[str, str]:
    return {"X-Cal-Signature-256": digest(body).hex(), "Content-Type": "application/json"}


def signed_by_calendly(body: bytes, ago: int = 0) -> dict[str, str]:
    stamp = int(time.time()) - ago
    signature = f"t={stamp},v1={digest(f'{stamp}.'.encode() + body).hex()}"
    return {"Calendly-Webhook-Signature": signature, "Content-Type": "application/json"}


def signed_by_acuity(body: bytes) -> dict[str, str]:
    signature = base64.b64encode(digest(body)).decode()
    return {"X-Acuity-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}


def encoded(event: Any) -> bytes:
    return json.dumps(event).encode()
