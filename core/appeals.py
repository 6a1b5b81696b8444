"""Appeals as the API, the tutor's own page and mails word them. Nothing is computed here."""

from enum import StrEnum

LONGEST_TEXT = 1_000
LONGEST_ANSWER = 2_000
# Who sent it, if the tutor did.
TUTOR = "tutor"
RECEIVED, ANSWER, REMINDER = "appeal_received", "appeal_answer", "appeal_reminder"
# An address that mail can be sent to, as SQL that is true of a column.
HAS_ADDRESS = """{email} ~ '^[^[:space:]@<>,;"()]+@[^[:space:]@<>,;"()]+$'"""


class AppealState(StrEnum):
    """State of an appeal. All except `open` are final."""

    OPEN = "open"
    GRANTED = "granted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


class AppealReason(StrEnum):
    """The tutor's objection."""

    NOT_ME = "not_me"
    ILLNESS = "illness"
    TECHNICAL = "technical"
    WRONG_RECORD = "wrong_record"
    AGREED = "agreed"
    OTHER = "other"


class Happened(StrEnum):
    """How a session counts against its tutor, by the record."""

    MISSED = "missed"
    CANCELLED = "cancelled"
    MOVED = "moved"
    LATE = "late"


class Remedy(StrEnum):
    """The change to a session when an appeal is granted: an excuse, or a corrected record."""

    EXCUSED = "excused"
    CORRECTED = "corrected"


# As the tutor says it.
REASONS = {
    AppealReason.NOT_ME: "I did not cause this",
    AppealReason.ILLNESS: "I was ill, or had an emergency",
    AppealReason.TECHNICAL: "A technical problem",
    AppealReason.WRONG_RECORD: "The record is wrong",
    AppealReason.AGREED: "It was agreed with the student",
    AppealReason.OTHER: "Something else",
}
STATES = {
    AppealState.OPEN: "Waiting for a decision",
    AppealState.GRANTED: "Granted",
    AppealState.DECLINED: "Declined",
    AppealState.WITHDRAWN: "Withdrawn",
}
HAPPENED = {
    Happened.MISSED: "Missed",
    Happened.CANCELLED: "Cancelled",
    Happened.MOVED: "Moved",
    Happened.LATE: "Started late",
}
REMEDIES = {
    Remedy.EXCUSED: "excused, no longer counts",
    Remedy.CORRECTED: "corrected, no longer counts",
}
UNCHANGED = "stays as it is"


def happened(code: str, who: str) -> str:
    """`cancelled` -> `Cancelled by you`; a late start is nobody's deed."""
    words = HAPPENED[Happened(code)]
    return words if code == Happened.LATE else f"{words} by {who}"


def remedy(code: str | None) -> str:
    """`excused` -> `excused, no longer counts`"""
    return REMEDIES[Remedy(code)] if code else UNCHANGED
