"""Subject lines, and the words for codes that subjects and texts share."""

from datetime import date
from typing import Any

from core.concerns import listed
from core.words import plural
from reports.kinds import ReportKind

REASONS = {
    "tutor_no_show": "The tutor missed a session",
    "short_notice_reschedule": "Rescheduled by the tutor at short notice",
    "short_notice_cancellation": "Cancelled by the tutor at short notice",
    "first_no_show": "A first session did not take place",
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
CLOSE_REASONS = {
    "improved": "the tutor improved",
    "no_effect": "no improvement",
    "excused": "there was an excuse",
    "data_error": "the data was wrong",
    "left": "the tutor left",
}
NAME_LENGTH = 60


def tutor_name(tutor: dict[str, Any]) -> str:
    """Name, or else the id that the marketplace uses."""
    text = " ".join(str(tutor.get("name") or tutor.get("external_id") or tutor.get("tutor_id")).split())
    return text if len(text) <= NAME_LENGTH else f"{text[: NAME_LENGTH - 1]}…"


def long_date(day: str) -> str:
    """`2026-01-05` -> `5 January 2026`"""
    return f"{date.fromisoformat(day[:10]):%-d %B %Y}"


def short_date(day: str) -> str:
    """`2026-01-05` -> `5 Jan`"""
    return f"{date.fromisoformat(day[:10]):%-d %b}"


def weekday(day: str) -> str:
    """`2026-01-05` -> `Monday 5 January`"""
    return f"{date.fromisoformat(day[:10]):%A %-d %B}"


def month_name(month: str) -> str:
    """`2026-01` -> `January 2026`"""
    return f"{date.fromisoformat(f'{month}-01'):%B %Y}"


def subject_of(kind: str, payload: dict[str, Any]) -> str:
    """The subject line: what happened, to whom. Of students and by alerts nobody is named.

    Raises:
        ValueError: no such kind is made of a payload.
    """
    match kind:
        case ReportKind.SESSION_REPORT if "sessions" in payload:
            return f"{plural(payload['total'], 'session')} to look at"
        case ReportKind.SESSION_REPORT:
            return f"{REASONS[payload['reasons'][0]]}: {tutor_name(payload['tutor'])}"
        case ReportKind.RISK_ALERT if "tutors" in payload:
            return f"{plural(payload['total'], 'tutor')} newly flagged"
        case ReportKind.RISK_ALERT if payload["concerns"]:
            concerns = listed([concern["concern"] for concern in payload["concerns"]])
            return f"{concerns[:1].upper()}{concerns[1:]}: {tutor_name(payload['tutor'])}"
        case ReportKind.RISK_ALERT:
            status = "High risk" if payload["tutor"]["risk_status"] == "high_risk" else "On watch"
            return f"{status}: {tutor_name(payload['tutor'])}"
        case ReportKind.DAILY_DIGEST:
            parts = [
                plural(len(payload["flagged"]), "new flag") if payload["flagged"] else "",
                f"{len(payload['better'])} better" if payload["better"] else "",
                f"{plural(payload['sessions_total'], 'session')} to look at" if payload["sessions_total"] else "",
            ]
            return f"{long_date(payload['day'])}: {', '.join(part for part in parts if part)}"
        case ReportKind.WEEKLY_REPORT:
            new, cleared, overdue = (
                payload["concerns"]["new"], payload["concerns"]["cleared"], payload["cases"]["overdue"]
            )  # fmt: skip
            parts = [
                plural(new, "new concern") if new else "no new concern",
                f"{cleared:,} cleared" if cleared else "",
                f"{plural(overdue, 'case')} overdue" if overdue else "",
            ]
            return f"Week {payload['week']['number']}: {', '.join(part for part in parts if part)}"
        case ReportKind.TUTOR_SNAPSHOT:
            return f"Your teaching in {month_name(payload['month'])}"
        case ReportKind.APPEAL_RECEIVED:
            return f"Your appeal: answer by {long_date(payload['appeal']['due_on'])}"
        case ReportKind.APPEAL_ANSWER:
            return f"Your appeal was {payload['appeal']['state']}"
        case ReportKind.APPEAL_REMINDER:
            when = f"due by {long_date(payload['appeal']['due_on'])}"
            words = {"new": f"New appeal, {when}", "soon": f"Appeal {when}", "overdue": f"Appeal overdue, {when}"}
            return f"{words[payload['occasion']]}: {tutor_name(payload['tutor'])}"
        case ReportKind.ALERT:
            return f"tutorq: {payload['title']}"
        case _:
            raise ValueError(f"no such kind of report: {kind}")
