"""Subject lines, and the words for codes that subjects and texts share."""

from datetime import date
from typing import Any

from core.concerns import listed
from core.words import plural

REASONS = {
    "tutor_no_show": "The tutor did not come",
    "short_notice_reschedule": "Rescheduled by the tutor at short notice",
    "short_notice_cancellation": "Cancelled by the tutor at short notice",
    "first_no_show": "A first session that did not happen",
    "first_cancelled": "A first session was cancelled",
    "first_low_rating": "A first session was rated 2 or less",
    "first_rescheduled": "A first session was rescheduled by the tutor",
    "session": "A session has ended",
}
STATUSES = {
    "insufficient_data": "too little data",
    "ok": "fine",
    "watch": "on watch",
    "high_risk": "high risk",
}
NAME_LENGTH = 60


def tutor_name(tutor: dict[str, Any]) -> str:
    """Name, or else the id that the marketplace uses."""
    text = " ".join(str(tutor.get("name") or tutor.get("external_id") or tutor.get("tutor_id")).split())
    return text if len(text) <= NAME_LENGTH else f"{text[: NAME_LENGTH - 1]}…"


def long_date(day: str) -> str:
    """`2026-01-05` -> `5 January 2026`"""
    return f"{date.fromisoformat(day[:10]):%-d %B %Y}"


def month_name(month: str) -> str:
    """`2026-01` -> `January 2026`"""
    return f"{date.fromisoformat(f'{month}-01'):%B %Y}"


def subject_of(kind: str, payload: dict[str, Any]) -> str:
    """The subject line: what happened, to whom. Of students and by alerts nobody is named."""
    match kind:
        case "session_report" if "sessions" in payload:
            return f"{plural(payload['total'], 'session')} to look at"
        case "session_report":
            return f"{REASONS[payload['reasons'][0]]}: {tutor_name(payload['tutor'])}"
        case "risk_alert" if "tutors" in payload:
            return f"{plural(payload['total'], 'tutor')} newly flagged"
        case "risk_alert" if payload["concerns"]:
            concerns = listed([concern["concern"] for concern in payload["concerns"]])
            return f"{concerns[:1].upper()}{concerns[1:]}: {tutor_name(payload['tutor'])}"
        case "risk_alert":
            status = "High risk" if payload["tutor"]["risk_status"] == "high_risk" else "On watch"
            return f"{status}: {tutor_name(payload['tutor'])}"
        case "daily_digest":
            parts = [
                plural(len(payload["flagged"]), "new flag") if payload["flagged"] else "",
                f"{len(payload['better'])} better" if payload["better"] else "",
                f"{plural(payload['sessions_total'], 'session')} to look at" if payload["sessions_total"] else "",
            ]
            return f"{long_date(payload['day'])}: {', '.join(part for part in parts if part)}"
        case "tutor_snapshot":
            return f"Your teaching in {month_name(payload['month'])}"
        case "alert":
            return f"tutorq: {payload['title']}"
        case _:
            raise ValueError(f"no such kind of report: {kind}")
