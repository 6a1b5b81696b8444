"""Every kind of mail: what it is for, who gets it, when it is due, and which setting switches it.

The one list of kinds. `due.py` queues by it, `preview.py` renders by it, Dagster's conditions take their hours from it,
and the API shows it on the page Messages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from core import appeals
from core.settings import Settings

# The hour at which mail is due, and the minute at which Dagster looks: what is recorded on the hour is there by then.
LOOKED_AT_MINUTE = 5
NEXT_WITHIN_DAYS = 32


class ReportKind(StrEnum):
    """Purpose of a mail."""

    SESSION_REPORT = "session_report"
    RISK_ALERT = "risk_alert"
    DAILY_DIGEST = "daily_digest"
    WEEKLY_REPORT = "weekly_report"
    TUTOR_SNAPSHOT = "tutor_snapshot"
    ALERT = "alert"
    LOG_IN_LINK = "log_in_link"
    NOTIFICATION = "notification"
    APPEAL_RECEIVED = appeals.RECEIVED
    APPEAL_ANSWER = appeals.ANSWER
    APPEAL_REMINDER = appeals.REMINDER


class Audience(StrEnum):
    """Recipients: `TUTORQ_STAFF_EMAILS`; these with leads and admins; each tutor; the person who asked."""

    STAFF = "staff"
    LEADS = "leads"
    TUTORS = "tutors"
    ASKER = "asker"


@dataclass(frozen=True, slots=True)
class Schedule:
    """From this hour of the reporting zone: every day, or on one weekday (0 is Monday) or day of the month."""

    hour: int
    weekday: int | None = None
    day: int | None = None

    @property
    def begins(self) -> time:
        return time(self.hour)

    @property
    def cron(self) -> str:
        """When Dagster looks, as cron writes it (there 1 is Monday)."""
        weekday = "*" if self.weekday is None else str((self.weekday + 1) % 7)
        return f"{LOOKED_AT_MINUTE} {self.hour} {self.day or '*'} * {weekday}"

    def next_after(self, local: datetime) -> datetime:
        """The next time Dagster looks, in the zone of `local`."""
        for ahead in range(NEXT_WITHIN_DAYS):
            day = local.date() + timedelta(days=ahead)
            looked = datetime.combine(day, time(self.hour, LOOKED_AT_MINUTE), local.tzinfo)
            if looked > local and self._is_on(day):
                return looked
        raise ValueError(f"never: {self}")

    def _is_on(self, day: date) -> bool:
        return (self.weekday is None or day.weekday() == self.weekday) and (self.day is None or day.day == self.day)


@dataclass(frozen=True, slots=True)
class KindOfMail:
    """One entry of the list. `when` says in words what is due when; `setting` is the variable that decides."""

    kind: ReportKind
    title: str
    about: str
    audience: Audience
    when: str
    setting: str
    schedule: Schedule | None = None

    @property
    def has_preview(self) -> bool:
        """A log-in link would be a working one."""
        return self.kind is not ReportKind.LOG_IN_LINK


KINDS: dict[ReportKind, KindOfMail] = {
    each.kind: each
    for each in (
        KindOfMail(
            ReportKind.SESSION_REPORT,
            "Session report",
            "A tutor missed a session, called one off at short notice, or a first session went badly.",
            Audience.STAFF,
            "When such a session becomes known",
            "TUTORQ_SESSION_REPORTS",
        ),
        KindOfMail(
            ReportKind.RISK_ALERT,
            "Risk alert",
            "A tutor is newly flagged: the counts, the certainty, and what ends the flag.",
            Audience.STAFF,
            "When a tutor is flagged",
            "TUTORQ_STAFF_EMAILS",
        ),
        KindOfMail(
            ReportKind.DAILY_DIGEST,
            "Daily digest",
            "What changed yesterday, sessions to look at, and likely let-downs of the next two days.",
            Audience.STAFF,
            "Every morning after a day with a change",
            "TUTORQ_STAFF_EMAILS",
            Schedule(7),
        ),
        KindOfMail(
            ReportKind.WEEKLY_REPORT,
            "Weekly report",
            "New and cleared concerns, the let-down rate, cases, their outcomes, and the week ahead.",
            Audience.LEADS,
            "Every Monday",
            "TUTORQ_STAFF_EMAILS",
            Schedule(7, weekday=0),
        ),
        KindOfMail(
            ReportKind.TUTOR_SNAPSHOT,
            "Tutor snapshot",
            "A tutor's own figures of last month, where they stand, and what was counted.",
            Audience.TUTORS,
            "On the 1st of each month",
            "TUTORQ_TUTOR_SNAPSHOTS",
            Schedule(8, day=1),
        ),
        KindOfMail(
            ReportKind.ALERT,
            "Alert",
            "tutorq itself has a problem: a failed job, lost files, missing data.",
            Audience.STAFF,
            "Once per problem, while it lasts",
            "TUTORQ_STAFF_EMAILS",
        ),
        KindOfMail(
            ReportKind.LOG_IN_LINK,
            "Log-in link",
            "A link that logs one person in, once, within ten minutes.",
            Audience.ASKER,
            "When a person requests one",
            "TUTORQ_MAIL_PROVIDER",
        ),
        KindOfMail(
            ReportKind.NOTIFICATION,
            "Notification",
            "News that one person chose: concerns, missed sessions, changes to their cases.",
            Audience.ASKER,
            "At once or daily, as each person chose",
            "TUTORQ_MAIL_PROVIDER",
        ),
        KindOfMail(
            ReportKind.APPEAL_RECEIVED,
            "Appeal received",
            "Confirms a tutor's appeal and names the answer date.",
            Audience.TUTORS,
            "When a tutor appeals",
            "TUTORQ_MAIL_PROVIDER",
        ),
        KindOfMail(
            ReportKind.APPEAL_ANSWER,
            "Answer to an appeal",
            "The decision on a tutor's appeal, with reasons.",
            Audience.TUTORS,
            "When a lead has decided",
            "TUTORQ_MAIL_PROVIDER",
        ),
        KindOfMail(
            ReportKind.APPEAL_REMINDER,
            "Appeal reminder",
            "An appeal needs a decision, or is overdue.",
            Audience.LEADS,
            "On arrival, 3 days before the deadline, and after",
            "TUTORQ_STAFF_EMAILS",
        ),
    )
}

PREVIEWED = tuple(kind for kind, about in KINDS.items() if about.has_preview)


def off_because(kind: ReportKind, settings: Settings, recipients: Sequence[str]) -> str | None:
    """Why nobody gets this kind of mail, in one sentence that names the setting; None if it is on.

    `recipients`: the addresses of staff, and of leads if it goes to them, too.
    """
    about = KINDS[kind]
    match kind:
        case ReportKind.SESSION_REPORT if settings.session_reports == "none":
            return "TUTORQ_SESSION_REPORTS is none."
        case ReportKind.TUTOR_SNAPSHOT if not settings.tutor_snapshots:
            return "TUTORQ_TUTOR_SNAPSHOTS is false."
        case ReportKind.LOG_IN_LINK if settings.mail_provider == "file":
            return "TUTORQ_MAIL_PROVIDER is file, so no mail is sent."
        case ReportKind.DAILY_DIGEST | ReportKind.WEEKLY_REPORT if settings.as_of not in ("now", "latest"):
            return "TUTORQ_AS_OF is a fixed day, so no day or week ends."
    if about.audience in (Audience.STAFF, Audience.LEADS) and not recipients:
        return "TUTORQ_STAFF_EMAILS is not set."
    return None
