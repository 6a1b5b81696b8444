"""Events in words, one line each: what chats and people are told. Names of tutors are added to events here."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from core import concerns
from core.events import EventKind
from core.words import estimated
from reports.subjects import tutor_name

# What happened to a case, by the kind of its event.
CASE = {
    "opened": "case opened",
    "joined": "another concern joined the case",
    "eased": "a concern of the case has cleared",
    "suggested": "case suggested for closing",
    "reopened": "case reopened",
    "changed": "case changed",
    "note": "note added to the case",
    "contact": "contact logged in the case",
    "withdrawn": "contact withdrawn from the case",
    "stand_in": "stand-in requested",
    "closed": "case closed",
}


def line(item: Mapping[str, Any], zone: ZoneInfo) -> str:
    """One event: `kind`, `happened_at`, the tutor's `name`, and the payload of the event."""
    name = tutor_name({**item, "external_id": item.get("tutor_external_id")})
    match item["kind"]:
        case EventKind.CONCERN_RAISED:
            chance = item.get("probability")
            limit = concerns.beyond(item["concern"], item.get("threshold"))
            how = f", {estimated(chance)} chance {limit}" if chance is not None else ""
            return f"{name}: {concerns.label(item['concern'])}{how}"
        case EventKind.CONCERN_CLEARED:
            return f"{name}: no longer of concern for {concerns.label(item['concern'])}"
        case EventKind.SESSION_ALERT:
            return f"{name} missed the session of {moment(item['scheduled_time'], zone)}"
        case EventKind.CASE_CHANGED:
            return f"{name}: {CASE.get(item['what'], 'case changed')}"
        case _:
            return str(item["kind"])


def link(item: Mapping[str, Any], dashboard: str) -> str:
    """The page of the dashboard that says more."""
    if "case_id" in item:
        return f"{dashboard}/cases/{item['case_id']}"
    return f"{dashboard}/tutors/{item['tutor_id']}" if item.get("tutor_id") else dashboard


def moment(text: str, zone: ZoneInfo) -> str:
    """`Mon 2 Feb, 15:00` in the zone."""
    return f"{datetime.fromisoformat(text).astimezone(zone):%a %-d %b, %H:%M}"


def headline(items: list[dict[str, Any]], total: int, zone: ZoneInfo) -> str:
    """The subject: the one line, or how many there are."""
    return line(items[0], zone) if total == 1 else f"{total:,} updates about tutors"
