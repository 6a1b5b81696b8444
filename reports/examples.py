"""Mail that answers what one person did, with made-up facts: for previews and tests, which anybody may ask for.

The newest real one would show somebody's notification, or a tutor's words of their health, to whoever asks.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from core.appeals import AppealReason, AppealState, Happened, Remedy
from core.concerns import ConcernName
from core.events import EventKind
from core.settings import Settings
from reports import told
from reports.kinds import ReportKind
from reports.outbox import Draft
from reports.subjects import subject_of

Json = dict[str, Any]

EXAMPLE = "example"
# Nobody: no link to a page is made for this tutor, wherever the mail goes.
TUTOR = {"tutor_id": None, "external_id": "T-1042", "name": "Ada Example"}


def made_up(settings: Settings, kind: ReportKind, now: datetime) -> Draft | None:
    """A mail of this kind with made-up facts, for nobody; None if it is made of figures."""
    make = _MAKERS.get(kind)
    if make is None:
        return None
    payload = {**make(settings, now), "mark": EXAMPLE}
    if kind is ReportKind.NOTIFICATION:
        subject = told.headline(payload["items"], payload["total"], ZoneInfo(settings.timezone))
    else:
        subject = subject_of(kind, payload)
    return Draft(kind, kind, [], subject, payload)


def _notification(settings: Settings, now: datetime) -> Json:
    one = {"name": TUTOR["name"], "tutor_id": None, "happened_at": (now - timedelta(minutes=5)).isoformat()}
    items = [
        {**one, "kind": EventKind.SESSION_ALERT, "scheduled_time": (now - timedelta(minutes=20)).isoformat()},
        {**one, "kind": EventKind.CONCERN_RAISED, "concern": ConcernName.UNRELIABLE, "probability": 0.93},
    ]
    return {"zone": settings.timezone, "items": items, "total": len(items)}


def _received(settings: Settings, now: datetime) -> Json:
    session = {
        "happened": Happened.MISSED,
        "remedy": None,
        "scheduled_time": (now - timedelta(days=2)).isoformat(),
        "subject": "maths",
    }
    appeal = {
        "appeal_id": 1,
        "concern": None,
        "reason": AppealReason.TECHNICAL,
        "text": "The app was down, so I could not get in.",
        "state": AppealState.OPEN,
        "created_at": now.isoformat(),
        "due_on": (now.date() + timedelta(days=settings.appeal_days)).isoformat(),
        "answer": None,
    }
    return {"appeal": appeal, "tutor": TUTOR, "sessions": [session]}


def _answer(settings: Settings, now: datetime) -> Json:
    sent = _received(settings, now - timedelta(days=3))
    decided = {"state": AppealState.GRANTED, "answer": "You are right: the app was down that afternoon."}
    sessions = [{**session, "remedy": Remedy.EXCUSED} for session in sent["sessions"]]
    return {**sent, "appeal": {**sent["appeal"], **decided}, "sessions": sessions}


def _reminder(settings: Settings, now: datetime) -> Json:
    sent = _received(settings, now)
    return {**sent, "occasion": "new", "sessions": len(sent["sessions"])}


_MAKERS: dict[ReportKind, Callable[[Settings, datetime], Json]] = {
    ReportKind.NOTIFICATION: _notification,
    ReportKind.APPEAL_RECEIVED: _received,
    ReportKind.APPEAL_ANSWER: _answer,
    ReportKind.APPEAL_REMINDER: _reminder,
}
