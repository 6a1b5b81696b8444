"""The list of kinds of mail: when each is due next, and whether it is on."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.settings import Settings
from reports.kinds import KINDS, Audience, ReportKind, Schedule, off_because

VIENNA = ZoneInfo("Europe/Vienna")


@pytest.mark.parametrize(
    ("schedule", "now", "then"),
    [
        (Schedule(7), "2026-11-30T07:04", "2026-11-30T07:05+01:00"),
        (Schedule(7), "2026-11-30T07:05", "2026-12-01T07:05+01:00"),
        # The clocks go forward on 29 March and back on 25 October.
        (Schedule(7), "2026-03-28T12:00", "2026-03-29T07:05+02:00"),
        (Schedule(7), "2026-10-24T12:00", "2026-10-25T07:05+01:00"),
        (Schedule(7, weekday=0), "2026-11-30T07:04", "2026-11-30T07:05+01:00"),
        (Schedule(7, weekday=0), "2026-12-01T00:00", "2026-12-07T07:05+01:00"),
        (Schedule(8, day=1), "2026-12-01T08:06", "2027-01-01T08:05+01:00"),
        (Schedule(8, day=1), "2027-01-31T23:59", "2027-02-01T08:05+01:00"),
    ],
)
def test_when_it_is_looked_for_next(schedule: Schedule, now: str, then: str) -> None:
    found = schedule.next_after(datetime.fromisoformat(now).replace(tzinfo=VIENNA))
    assert found.isoformat(timespec="minutes") == then


@pytest.mark.parametrize(
    ("kind", "cron"),
    [
        (ReportKind.DAILY_DIGEST, "5 7 * * *"),
        (ReportKind.WEEKLY_REPORT, "5 7 * * 1"),
        (ReportKind.TUTOR_SNAPSHOT, "5 8 1 * *"),
    ],
)
def test_dagster_looks_at_the_same_hours(kind: ReportKind, cron: str) -> None:
    schedule = KINDS[kind].schedule
    assert schedule is not None
    assert schedule.cron == cron
    now = datetime(2026, 11, 29, 12, tzinfo=UTC)
    # Not before it is due.
    assert schedule.next_after(now).time() >= schedule.begins
    assert schedule.next_after(now) - now < timedelta(days=32)


@pytest.mark.parametrize(
    ("kind", "changes", "because"),
    [
        (ReportKind.SESSION_REPORT, {}, None),
        (ReportKind.SESSION_REPORT, {"session_reports": "none"}, "TUTORQ_SESSION_REPORTS is none."),
        (ReportKind.TUTOR_SNAPSHOT, {"staff_emails": []}, None),
        (ReportKind.TUTOR_SNAPSHOT, {"tutor_snapshots": False}, "TUTORQ_TUTOR_SNAPSHOTS is false."),
        (ReportKind.RISK_ALERT, {"staff_emails": []}, "TUTORQ_STAFF_EMAILS is not set."),
        (ReportKind.WEEKLY_REPORT, {"as_of": "2026-01-31"}, "TUTORQ_AS_OF is a fixed day, so no day or week ends."),
        (ReportKind.WEEKLY_REPORT, {"as_of": "latest"}, None),
        (ReportKind.RISK_ALERT, {"as_of": "2026-01-31"}, None),
        (ReportKind.LOG_IN_LINK, {}, None),
        (
            ReportKind.LOG_IN_LINK,
            {"mail_provider": "file"},
            "TUTORQ_MAIL_PROVIDER is file, so no mail is sent.",
        ),
    ],
)
def test_why_nobody_gets_it(kind: ReportKind, changes: dict[str, Any], because: str | None) -> None:
    settings = Settings(mail_provider="smtp", staff_emails=["head@example.org"]).model_copy(update=changes)
    assert off_because(kind, settings, settings.staff_addresses) == because


def test_a_lead_is_enough_for_the_weekly_report() -> None:
    settings = Settings(mail_provider="smtp", staff_emails=[])
    assert off_because(ReportKind.WEEKLY_REPORT, settings, ["lead@example.org"]) is None
    assert off_because(ReportKind.WEEKLY_REPORT, settings, []) == "TUTORQ_STAFF_EMAILS is not set."


def test_every_kind_is_on_the_list_and_only_a_link_has_no_preview() -> None:
    assert list(KINDS) == list(ReportKind)
    assert [kind for kind, about in KINDS.items() if not about.has_preview] == [ReportKind.LOG_IN_LINK]
    assert {about.audience for about in KINDS.values()} == set(Audience)
