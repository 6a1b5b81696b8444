"""What is queued, for whom, and that it is queued once."""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from reports.due import MOST_MAILS_AT_ONCE, Queued

if TYPE_CHECKING:
    from tests.reports.conftest import Marketplace

MORNING = datetime(2026, 2, 10, 7, 30, tzinfo=UTC)
FIRST_OF_MONTH = datetime(2026, 2, 1, 8, 30, tzinfo=UTC)
NOTHING = Queued()


def test_the_first_look_tells_nothing_of_the_past(marketplace: "Marketplace") -> None:
    for tutor in range(1, 8):
        marketplace.score(tutor, "high_risk", for_days=3)
        marketplace.session("no_show", tutor=tutor, initiator="tutor", arrived_ago=timedelta(minutes=5))
    assert marketplace.queue() == NOTHING
    assert marketplace.queue() == NOTHING
    assert marketplace.execute("select count(*) from app.risk_alert_states") == [(7,)]


def test_without_published_marts_nothing_is_due_and_reporting_has_not_begun(marketplace: "Marketplace") -> None:
    marketplace.execute("drop schema marts cascade")
    assert marketplace.queue() == NOTHING
    assert marketplace.execute("select count(*) from app.report_switches") == [(0,)]


@pytest.mark.parametrize(
    ("session", "headline"),
    [
        ({"status": "no_show", "initiator": "tutor", "is_first": False}, "tutor_no_show"),
        ({"status": "no_show", "initiator": "student", "is_first": True}, "first_no_show"),
        ({"status": "no_show", "initiator": "student", "is_first": False}, None),
        ({"moved_by": "tutor", "notice_hours": 23.9, "is_first": False}, "short_notice_reschedule"),
        ({"moved_by": "tutor", "notice_hours": 24, "is_first": False, "ago": -timedelta(hours=23)}, None),
        ({"moved_by": "tutor", "notice_hours": 24, "is_first": True, "ago": -timedelta(hours=23)}, "first_rescheduled"),
        ({"moved_by": "tutor", "notice_hours": 2, "is_first": False, "excused": True}, None),
        ({"moved_by": "student", "notice_hours": 2, "is_first": True}, None),
        ({"status": "cancelled", "is_first": True}, "first_cancelled"),
        ({"status": "cancelled", "is_first": False}, None),
        ({"rating": 2, "is_first": True}, "first_low_rating"),
        ({"rating": 2.1, "is_first": True}, None),
        ({"rating": 1, "is_first": False}, None),
    ],
)
def test_sessions_that_a_person_should_know_of(
    reporting: "Marketplace", session: dict[str, Any], headline: str | None
) -> None:
    session_id = reporting.session(**session)
    assert reporting.queue().session_report == (headline is not None)
    assert reporting.queue() == NOTHING
    assert [topic for topic, _, _ in reporting.outbox("session_report")] == (
        [f"{session_id}:{headline}"] if headline else []
    )


def test_a_session_that_was_moved_twice_is_told_once(reporting: "Marketplace") -> None:
    session = reporting.session(moved_by="tutor", notice_hours=1, is_first=False)
    reporting.execute(
        "insert into raw.reschedules (session_id, initiator, requested_at) values (%s, 'tutor', now())", session
    )
    assert reporting.queue().session_report == 1
    ((_, _, payload),) = reporting.outbox("session_report")
    assert payload["reasons"] == ["short_notice_reschedule"]


def test_all_reasons_stand_in_one_mail_and_a_graver_one_makes_another(reporting: "Marketplace") -> None:
    session = reporting.session(moved_by="tutor", notice_hours=1)
    reporting.queue()
    ((_, _, payload),) = reporting.outbox("session_report")
    assert payload["reasons"] == ["short_notice_reschedule", "first_rescheduled"]

    reporting.execute("update raw.sessions set status = 'no_show' where session_id = %s", session)
    reporting.execute(
        "update marts.fct_sessions set status = 'no_show', is_tutor_no_show = true where session_id = %s", session
    )
    assert reporting.queue().session_report == 1
    assert reporting.queue() == NOTHING


def test_what_happened_before_is_told_only_if_it_is_of_today_and_came_later(reporting: "Marketplace") -> None:
    told = reporting.session("no_show", initiator="tutor", ago=timedelta(hours=6))
    reporting.session("no_show", initiator="tutor", ago=timedelta(hours=6), arrived_ago=timedelta(hours=5))
    reporting.session("no_show", initiator="tutor", ago=timedelta(hours=27))
    reporting.session("no_show", initiator="tutor", ago=timedelta(days=100))
    assert reporting.queue().session_report == 1
    assert reporting.outbox("session_report")[0][0] == f"{told}:tutor_no_show"


def test_setting_all_tells_of_every_session_from_then_on_and_none_of_no_session(reporting: "Marketplace") -> None:
    reporting.session(is_first=False, arrived_ago=timedelta(hours=1))
    reporting.session("no_show", initiator="tutor", arrived_ago=timedelta(hours=1))
    assert reporting.queue(session_reports="none") == NOTHING
    assert reporting.queue(session_reports="all").session_report == 0, "what came while it was off is not told"
    reporting.execute("update app.report_switches set on_since = now() - interval '1 minute'")
    reporting.session(ago=timedelta(0), is_first=False)
    assert reporting.queue(session_reports="important") == NOTHING
    assert reporting.queue(session_reports="all") == NOTHING, "it was off for a moment"
    reporting.session(ago=-timedelta(seconds=1), is_first=False)
    assert reporting.queue(session_reports="all").session_report == 1


def test_every_address_gets_a_row_and_who_joins_later_is_not_told_of_the_past(reporting: "Marketplace") -> None:
    reporting.session("no_show", initiator="tutor")
    assert reporting.queue(staff_emails=["a@example.org", "b@example.org"]).session_report == 2
    assert reporting.queue(staff_emails=["a@example.org", "b@example.org", "c@example.org"]) == NOTHING


def test_mail_for_nobody_is_on_record(reporting: "Marketplace") -> None:
    reporting.session("no_show", initiator="tutor")
    reporting.queue(staff_emails=[], mail_provider="sendgrid")
    assert reporting.execute("select state, recipient, error from app.email_reports") == [
        ("suppressed", "nobody", "TUTORQ_STAFF_EMAILS is not set")
    ]
    assert reporting.queue() == NOTHING


def test_many_at_once_come_as_one_list(reporting: "Marketplace") -> None:
    for _ in range(MOST_MAILS_AT_ONCE + 1):
        reporting.session("no_show", initiator="tutor")
    reporting.queue()
    ((topic, _, payload),) = reporting.outbox("session_report")
    assert topic.startswith("many:")
    assert payload["total"] == MOST_MAILS_AT_ONCE + 1
    assert len(reporting.outbox("session_report", "suppressed")) == MOST_MAILS_AT_ONCE + 1
    assert reporting.queue() == NOTHING


def test_payloads_name_no_student(reporting: "Marketplace") -> None:
    reporting.session("no_show", initiator="tutor")
    reporting.queue()
    ((_, _, payload),) = reporting.outbox("session_report")
    assert payload["session"]["student"] == str(reporting.students[-1])
    assert "Secret" not in str(payload)


def test_a_crossing_is_told_once_however_often_it_goes_to_and_fro(reporting: "Marketplace") -> None:
    reporting.score(3, "watch")
    assert reporting.queue().risk_alert == 1
    for day, status, days in [
        (0, "ok", 0),
        (0, "watch", 0),
        (1, "ok", 0),
        (5, "ok", 4),
        (6, "watch", 0),
        (13, "ok", 6),
    ]:
        reporting.score(3, status, for_days=days, on_day=day)
        assert reporting.queue() == NOTHING, (day, status)
    ((topic, recipient, payload),) = reporting.outbox("risk_alert")
    assert (topic, recipient) == (f"{reporting.tutor(3)}:2026-01-31:watch", "head@example.org")
    assert payload["previous_status"] == "ok"
    assert payload["tutor"]["let_downs_90d"] == payload["evidence_total"] > 0


def test_after_a_calm_week_a_new_crossing_is_news(reporting: "Marketplace") -> None:
    reporting.score(3, "watch")
    reporting.queue()
    reporting.score(3, "ok", for_days=6, on_day=7)
    reporting.queue()
    reporting.score(3, "watch", on_day=7)
    assert reporting.queue() == NOTHING
    reporting.score(3, "ok", for_days=6, on_day=13)
    assert reporting.queue() == NOTHING
    reporting.score(3, "ok", for_days=7, on_day=14)
    reporting.queue()
    reporting.score(3, "watch", on_day=14)
    assert reporting.queue().risk_alert == 1


def test_days_that_end_well_do_not_hide_that_the_flag_came_during_the_day(reporting: "Marketplace") -> None:
    """The history holds ends of days; a tutor flagged every noon and fine every night would be told every day."""
    reporting.score(3, "watch")
    reporting.queue()
    for day in range(1, 10):
        reporting.score(3, "watch", on_day=day)
        assert reporting.queue() == NOTHING
        reporting.score(3, "ok", for_days=30, on_day=day)
        assert reporting.queue() == NOTHING


def test_too_little_data_is_not_calm_until_the_window_has_passed(reporting: "Marketplace") -> None:
    reporting.score(3, "watch")
    reporting.queue()
    reporting.score(3, "insufficient_data", for_days=60, on_day=89)
    reporting.queue()
    reporting.score(3, "watch", on_day=89)
    assert reporting.queue() == NOTHING
    reporting.score(3, "insufficient_data", for_days=90, on_day=179)
    reporting.queue()
    reporting.score(3, "watch", on_day=179)
    assert reporting.queue().risk_alert == 1


def test_from_watch_to_high_risk_is_a_crossing_and_back_is_none(reporting: "Marketplace") -> None:
    for status, alerts in [("watch", 1), ("high_risk", 1), ("watch", 0), ("high_risk", 0)]:
        reporting.score(3, status)
        assert reporting.queue().risk_alert == alerts, status


def test_an_inactive_tutor_is_no_news(reporting: "Marketplace") -> None:
    reporting.score(3, "high_risk")
    reporting.execute("update marts.tutor_scores set is_active = false where tutor_id = %s", reporting.tutor(3))
    assert reporting.queue() == NOTHING


def began(marketplace: "Marketplace", day: date) -> None:
    marketplace.execute("update app.report_switches set on_since = %s", day)


def test_the_digest_tells_what_changed_on_the_last_recorded_day_once(reporting: "Marketplace") -> None:
    began(reporting, date(2026, 1, 20))
    reporting.execute("update marts.fct_sessions set is_short_notice = false, is_tutor_no_show = false")
    reporting.execute("delete from marts.fct_sessions where rating <= 2")
    reporting.execute(
        "update marts.score_history set risk_status = 'watch' where tutor_id = %s and as_of >= '2026-01-30'",
        reporting.tutor(2),
    )
    reporting.execute(
        "update marts.score_history set risk_status = 'high_risk' where tutor_id = %s and as_of < '2026-01-30'",
        reporting.tutor(4),
    )
    assert reporting.queue(MORNING - timedelta(hours=1)) == NOTHING
    assert reporting.queue(MORNING).daily_digest == 1
    assert reporting.queue(MORNING) == NOTHING
    ((topic, _, payload),) = reporting.outbox("daily_digest")
    assert topic == "2026-01-30"
    assert [(change["was"], change["is_now"]) for change in payload["flagged"]] == [("ok", "watch")]
    assert [(change["was"], change["is_now"]) for change in payload["better"]] == [("high_risk", "ok")]


def test_no_digest_without_a_change_nor_of_days_before_reporting_began(reporting: "Marketplace") -> None:
    assert reporting.queue(MORNING) == NOTHING
    reporting.execute("update marts.score_history set risk_status = 'watch' where as_of = '2026-01-30'")
    assert reporting.queue(MORNING).daily_digest == 0, "reporting began long after that day"


def test_snapshots_go_to_tutors_who_taught_and_can_be_written_to(reporting: "Marketplace") -> None:
    assert reporting.queue(FIRST_OF_MONTH).tutor_snapshot == 0, "reporting began after that month"
    began(reporting, date(2026, 1, 20))
    reporting.execute("update marts.dim_tutors set email = 'x@y.org, z@y.org' where tutor_id = %s", reporting.tutor(2))
    expected = reporting.execute(
        """
        select tutor_id::text, email from marts.dim_tutors as tutors
        where
            is_active and email is not null and email not like '%%,%%'
            and exists (
                select from marts.fct_sessions as sessions
                where sessions.tutor_id = tutors.tutor_id and counted_on between '2026-01-01' and '2026-01-31'
            )
        order by 1
        """
    )
    assert reporting.queue(FIRST_OF_MONTH - timedelta(hours=1)).tutor_snapshot == 0
    assert reporting.queue(FIRST_OF_MONTH, tutor_snapshots=False).tutor_snapshot == 0
    began(reporting, date(2026, 1, 20))
    reporting.queue(FIRST_OF_MONTH)
    began(reporting, date(2026, 1, 20))
    assert reporting.queue(FIRST_OF_MONTH).tutor_snapshot == len(expected) > 5
    assert reporting.queue(FIRST_OF_MONTH + timedelta(days=3)).tutor_snapshot == 0
    told = reporting.outbox("tutor_snapshot")
    assert [(topic, recipient) for topic, recipient, _ in told] == [
        (f"{tutor}:2026-01", mail) for tutor, mail in expected
    ]
    counted = reporting.execute(
        "select count(*) from marts.fct_sessions where tutor_id::text = %s and counted_on between '2026-01-01' and "
        "'2026-01-31'",
        expected[0][0],
    )
    assert told[0][2]["in_month"]["sessions"] == counted[0][0]
