"""What mails say."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from core.settings import Settings
from reports import due
from reports.render import ADDED, RENAMED, Rendered, notice, percent, render
from reports.subjects import subject_of

if TYPE_CHECKING:
    from tests.reports.conftest import Marketplace

SETTINGS = Settings(timezone="Europe/Vienna", dashboard_url="https://q.example.org/")
SCRIPT = "<script>alert('x')</script> & Söhne"


def payload_of(marketplace: "Marketplace", kind: str) -> dict[str, Any]:
    with marketplace.database.connect() as connection:
        if kind == "tutor_snapshot":
            tutor = marketplace.tutor(6)
            return due.snapshots(connection, date(2026, 2, 1), tutor)[0].payload
        drafts = due.digest(connection, SETTINGS, [], on_since=None)
        assert drafts is not None
        return drafts.payload


def rendered(kind: str, payload: dict[str, Any]) -> Rendered:
    return render(SETTINGS, kind, subject_of(kind, payload), payload)


def as_text(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_a_session_report_says_what_happened_when_and_what_to_do(reporting: "Marketplace") -> None:
    reporting.execute("update marts.tutor_scores set name = %s where tutor_id = %s", SCRIPT, reporting.tutor(2))
    reporting.session("no_show", tutor=2, initiator="tutor")
    reporting.queue()
    ((_, _, payload),) = reporting.outbox("session_report")
    payload["session"]["scheduled_time"] = "2026-07-01T22:30:00+00:00"
    mail = rendered("session_report", payload)
    assert mail.subject == f"The tutor missed a session: {SCRIPT}"
    assert "Planned for: Thu 2 Jul 2026, 00:30" in mail.text
    assert "Thu 2 Jul 2026, 00:30" in mail.html
    assert f"https://q.example.org/tutors/{reporting.tutor(2)}" in mail.text
    assert f'href="https://q.example.org/tutors/{reporting.tutor(2)}"' in mail.html
    assert SCRIPT in mail.text
    assert "<script" not in mail.html, "sentences shared with the text part are escaped too"
    assert "None" not in mail.text + mail.html


NO_SHOWS = (
    "missed 4 of 45 sessions in 90 days. From now on, 4.0% to 12% is likely, because the last weeks weigh more; the "
    "chance that it is above the limit of 3.0% is 93%."
)
ENDS = "Ends when this chance falls below 50%, or stays below 80% for 30 days."


def test_a_risk_alert_has_numbers_reason_and_evidence(reporting: "Marketplace") -> None:
    reporting.score(6, "watch")
    reporting.queue()
    ((_, _, payload),) = reporting.outbox("risk_alert")
    mail = rendered("risk_alert", payload)
    assert mail.subject.startswith("On watch: ")
    tutor = payload["tutor"]
    for text in (mail.text, as_text(mail.html)):
        assert "was fine the day before and is now on watch" in text
        assert f"{tutor['let_downs_90d']} of {tutor['sessions_90d']} sessions in the last 90 days" in text
        assert "above 15% is 77%" in text
        assert "not certain enough for more" in text
    assert len(payload["evidence"]) == min(8, payload["evidence_total"]) > 0
    assert all(each["session"] in mail.text for each in payload["evidence"])


def test_an_alert_names_the_concerns_with_the_words_of_the_dashboard(reporting: "Marketplace") -> None:
    reporting.concern(6, "no_shows")
    reporting.concern(6, "getting_worse", superseded=True)
    reporting.concern(6, "unreliable", threshold=0.15, low=0.18, high=0.31)
    reporting.score(6, "high_risk")
    reporting.queue()
    ((_, _, payload),) = reporting.outbox("risk_alert")
    mail = rendered("risk_alert", payload)
    assert mail.subject.startswith("Unreliable, no-shows: ")
    for text in (mail.text, as_text(mail.html)):
        assert f"The tutor {NO_SHOWS} {ENDS}" in text
        assert "No-shows since 30 January 2026" in text
        assert "suddenly worse" not in text.lower()


def test_the_digest_counts_tutors_of_each_concern_and_names_the_newest(reporting: "Marketplace") -> None:
    reporting.concern(1, "no_shows")
    reporting.concern(2, "no_shows", raised_on="2026-01-12")
    reporting.concern(2, "late_starts", raised_on="2026-01-14")
    reporting.concern(9, "no_shows")  # has left
    reporting.execute(
        "update marts.score_history set risk_status = 'watch' where tutor_id = %s and as_of >= '2026-01-30'",
        reporting.tutor(1),
    )
    payload = payload_of(reporting, "daily_digest")
    assert payload["now"]["attention"] == 2
    assert payload["now"]["concerns"] == [
        {"concern": "no_shows", "tutors": 2},
        {"concern": "late_starts", "tutors": 1},
    ]
    newest = [(each["tutor_id"], each["concern"]) for each in payload["now"]["newest_concerns"]]
    assert newest == [
        (str(reporting.tutor(1)), "no_shows"),
        (str(reporting.tutor(2)), "late_starts"),
        (str(reporting.tutor(2)), "no_shows"),
    ]
    mail = rendered("daily_digest", payload)
    assert "No-shows: 2 tutors\nLate starts: 1 tutor" in mail.text
    for text in (mail.text, as_text(mail.html)):
        assert f"The tutor {NO_SHOWS}" in text
    assert "fine -> no-shows" in mail.text


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("ok", "All is well: you have no flag."),
        ("watch", "The flag ends automatically when this probability falls below 50%."),
        ("insufficient_data", "too few for a fair judgement"),
    ],
)
def test_a_snapshot_is_fair_to_the_tutor(reporting: "Marketplace", status: str, says: str) -> None:
    payload = payload_of(reporting, "tutor_snapshot")
    payload["tutor"] |= {"risk_status": status, "rating_mean_90d": None}
    mail = rendered("tutor_snapshot", payload)
    assert mail.subject == "Your teaching in January 2026"
    assert says in mail.text
    assert says in as_text(mail.html)
    assert "Excused sessions count as sessions, not as let-downs." in mail.text
    assert "q.example.org" not in mail.text, "tutors have no access to the dashboard"
    assert f"Sessions in January 2026: {payload['in_month']['sessions']}" in mail.text


def test_all_is_well_only_without_a_concern(reporting: "Marketplace") -> None:
    reporting.concern(6, "no_shows")
    payload = payload_of(reporting, "tutor_snapshot")
    assert payload["tutor"]["risk_status"] == "ok"
    mail = rendered("tutor_snapshot", payload)
    for text in (mail.text, as_text(mail.html)):
        assert f"Concerns: no-shows. You {NO_SHOWS} {ENDS}" in text
        assert "All is well" not in text


def as_queued_before(part: Any) -> Any:
    """A payload as the version queued it that counted moves by the tutor alone."""
    if isinstance(part, list):
        return [as_queued_before(each) for each in part]
    if not isinstance(part, dict):
        return part
    later = ADDED.keys() | {"attention", "newest_concerns"}
    kept = {name: as_queued_before(value) for name, value in part.items() if name not in later}
    if "attention" in part:
        kept["high_risk"] = part["attention"]
    return {RENAMED.get(name, name): value for name, value in kept.items() if name not in RENAMED.values()}


@pytest.mark.parametrize("kind", ["tutor_snapshot", "daily_digest"])
def test_what_the_version_before_has_queued_is_still_sent(reporting: "Marketplace", kind: str) -> None:
    reporting.execute(
        "update marts.score_history set risk_status = 'watch' where tutor_id = %s and as_of >= '2026-01-30'",
        reporting.tutor(2),
    )
    payload = payload_of(reporting, kind)
    before = as_queued_before(payload)
    assert before != payload
    mail = rendered(kind, before)
    # It says what counted then.
    assert "cancelled or missed" not in mail.text
    assert mail.subject == rendered(kind, payload).subject


def test_a_digest_lists_what_changed(reporting: "Marketplace") -> None:
    reporting.execute(
        "update marts.score_history set risk_status = 'watch' where tutor_id = %s and as_of >= '2026-01-30'",
        reporting.tutor(2),
    )
    payload = payload_of(reporting, "daily_digest")
    mail = rendered("daily_digest", payload)
    assert mail.subject.startswith("30 January 2026: 1 new flag")
    assert "fine -> on watch" in mail.text
    assert "fine → on watch" in as_text(mail.html)


def test_a_digest_lists_first_sessions_and_who_may_stop(reporting: "Marketplace") -> None:
    reporting.execute(
        "update marts.score_history set risk_status = 'watch' where tutor_id = %s and as_of >= '2026-01-30'",
        reporting.tutor(2),
    )
    reporting.execute(
        "insert into ml.tutor_predictions (tutor_id, stop_probability, factors, model_version, as_of) "
        "values (%s, 0.42, '[]', 'attrition-1', '2026-01-31'), (%s, 0.1, '[]', 'attrition-1', '2026-01-31')",
        reporting.tutor(3), reporting.tutor(4),
    )  # fmt: skip
    student = uuid4()
    reporting.execute(
        "insert into raw.students (student_id, external_id, name, urgency_level) values (%s, 'S-new', 'Lea Berg', 5)",
        student,
    )
    for number, hours in (("first", 20), ("second", 30), ("of next week", 200)):
        reporting.execute(
            "insert into raw.sessions (session_id, external_id, tutor_id, student_id, scheduled_time, status, subject) "
            "values (gen_random_uuid(), %s, %s, %s, now() + %s * interval '1 hour', 'scheduled', 'maths')",
            number, reporting.tutor(5), student, hours,
        )  # fmt: skip
    payload = payload_of(reporting, "daily_digest")
    assert payload["may_stop_total"] == 1
    assert payload["first_sessions_total"] == 1, "of a series the first alone, and of the next two days"
    (first,) = payload["first_sessions"]
    assert first["session"]["session"] == "first"
    assert first["preparation"][:2] == ["The student's first tutor.", "Urgency 5 of 5."]
    mail = rendered("daily_digest", payload)
    for text in (mail.text, as_text(mail.html)):
        assert "May stop teaching" in text
        assert "42% within 60 days" in text
        assert "fixed formula" not in text
        assert "Coming up: first sessions" in text
        assert "first tutor." in text
        assert "Lea Berg" not in text, "students appear by their ids"
    # The formula is not calibrated: its level is told, and no percentage.
    reporting.execute("update ml.tutor_predictions set model_version = 'rules-v1'")
    mail = rendered("daily_digest", payload_of(reporting, "daily_digest"))
    for text in (mail.text, as_text(mail.html)):
        assert "high risk within 60 days" in text
        assert "fixed formula" in text
        assert "42%" not in text


def test_a_digest_counts_the_sessions_to_look_at_by_reason(reporting: "Marketplace") -> None:
    noon = datetime.now(UTC) - datetime(2026, 1, 30, 12, tzinfo=UTC)
    for ago in (noon, noon + timedelta(hours=1)):
        reporting.session("no_show", tutor=2, initiator="tutor", ago=ago)
    payload = payload_of(reporting, "daily_digest")
    assert payload["counts"] == {"tutor_no_show": 2}
    mail = rendered("daily_digest", payload)
    assert "Sessions to look at: 2\n" in mail.text
    assert "The tutor missed a session: 2\n" in mail.text
    assert "The tutor missed a session 2" in as_text(mail.html)


@pytest.mark.parametrize("kind", ["session_report", "risk_alert"])
def test_lists_say_how_many_are_left_out(reporting: "Marketplace", kind: str) -> None:
    for tutor in range(1, 20):
        reporting.score(tutor, "watch")
        for _ in range(2):
            reporting.session("no_show", tutor=tutor, initiator="tutor")
    due_before, due.MOST_MAILS_AT_ONCE = due.MOST_MAILS_AT_ONCE, 5
    try:
        reporting.queue()
    finally:
        due.MOST_MAILS_AT_ONCE = due_before
    ((_, _, payload),) = reporting.outbox(kind)
    mail = rendered(kind, payload)
    total = {"session_report": 38, "risk_alert": 19}[kind]
    assert mail.subject.startswith(f"{total} ")
    assert (f"and {total - due.MOST_IN_A_LIST} more" in mail.text) is (total > due.MOST_IN_A_LIST)


def assert_is_for_the_dark(sheet: str) -> str:
    """A style sheet that only says what the dark looks like. Returns nothing of it."""
    rules = [line.strip() for line in sheet.splitlines()[1:-1]]
    assert rules[0] == ":root { color-scheme: light dark; }"
    assert rules[1] == "@media (prefers-color-scheme: dark) {"
    assert all(rule.endswith("!important; }") or "!important; " in rule for rule in rules[2:-1])
    return ""


def test_mails_need_no_style_sheet_no_picture_and_no_script(reporting: "Marketplace") -> None:
    html = rendered("tutor_snapshot", payload_of(reporting, "tutor_snapshot")).html
    # Programs that drop style sheets show it light.
    html, sheets = re.subn(r"<style>.*?</style>", lambda found: assert_is_for_the_dark(found[0]), html, flags=re.DOTALL)
    assert sheets == 1
    for element in ("<style", "<link", "<img", "<script", "http://", "https://"):
        assert element not in html
    assert 'name="viewport"' in html
    assert "max-width:600px" in html


def test_numbers_in_words() -> None:
    assert [percent(value) for value in (None, 0, 0.0004, 0.051, 0.186, 0.996, 1)] == [
        "unknown", "0%", "less than 0.1%", "5.1%", "19%", "more than 99%", "100%",
    ]  # fmt: skip
    # The hours of "never overstate notice" in dashboards/src/lib/format.test.ts.
    assert [notice(hours) for hours in (None, -0.5, 0.5, 1, 4.9, 23.9, 45.6, 47.9, 72, 119.9)] == [
        "unknown", "after the planned start", "less than an hour before", "1 hour before", "4 hours before",
        "23 hours before", "45 hours before", "47 hours before", "3 days before", "4 days before",
    ]  # fmt: skip
