"""The weekly report: what it counts, what it says, and that every week is told once."""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from core.settings import Settings
from core.words import plural
from reports import narrative, weekly
from reports.render import Rendered, render
from reports.subjects import subject_of
from reports.weekly import Week
from reports.weekly_sections import FACTS, SECTIONS
from tests.reports.test_render import as_text

if TYPE_CHECKING:
    from tests.reports.conftest import Marketplace

SETTINGS = Settings(timezone="Europe/Vienna", dashboard_url="https://q.example.org/")
# The fixture's day is Saturday, 31 January 2026.
WEEK = Week(date(2026, 1, 26))
MONDAY = datetime(2026, 2, 2, 7, 30, tzinfo=UTC)


@pytest.fixture
def over(reporting: "Marketplace") -> "Marketplace":
    """Reporting has been on for long, and all of the week is counted."""
    reporting.execute("update app.report_switches set on_since = '2026-01-20'")
    reporting.execute("update marts.publication set as_of = '2026-02-02'")
    return reporting


def told(marketplace: "Marketplace", week: Week = WEEK, today: date = date(2026, 2, 2)) -> dict[str, Any]:
    with marketplace.database.connect() as connection:
        draft = weekly.draft(connection, SETTINGS, week, today, [])
    assert draft is not None
    return draft.payload


def flag(marketplace: "Marketplace", tutor: int, concern: str, raised_on: str, cleared_on: str | None = None) -> None:
    """A stretch of days that is over, or goes on as of the marts' day."""
    marketplace.execute(
        """
        insert into app.concern_stretches
            (tutor_id, concern, raised_on, cleared_on, probability_when_raised, probability_when_cleared, high_days)
        values (%s, %s, %s, %s::date, 0.91, case when %s::date is not null then 0.42 end, array[%s::date])
        """,
        marketplace.tutor(tutor), concern, raised_on, cleared_on, cleared_on, raised_on,
    )  # fmt: skip


def case(marketplace: "Marketplace", tutor: int, **columns: Any) -> int:
    values = {
        "tutor_id": marketplace.tutor(tutor), "state": "new", "concerns": ["no_shows"], "standing": [],
        "snapshot": "[]", "opened_by": "test", "opened_at": "2026-01-10T09:00Z", "opened_on": "2026-01-10", **columns,
    }  # fmt: skip
    names, places = ", ".join(values), ", ".join(["%s"] * len(values))
    ((case_id,),) = marketplace.execute(
        f"insert into app.cases ({names}) values ({places}) returning case_id", *values.values()
    )
    return int(case_id)


def no_cases(marketplace: "Marketplace") -> None:
    marketplace.execute("alter table app.case_events disable trigger append_only")
    marketplace.execute("delete from app.case_events")
    marketplace.execute("delete from app.cases")


def person(marketplace: "Marketplace", email: str, role: str, *, is_active: bool = True) -> int:
    ((person_id,),) = marketplace.execute(
        "insert into app.people (name, email, role, is_active) values ('Ann Lee', %s, %s, %s) returning person_id",
        email, role, is_active,
    )  # fmt: skip
    return int(person_id)


@pytest.mark.parametrize(
    ("name", "starts_on", "ends_on"),
    [
        ("2026-W01", date(2025, 12, 29), date(2026, 1, 4)),
        ("2026-W53", date(2026, 12, 28), date(2027, 1, 3)),
        ("2026-W05", date(2026, 1, 26), date(2026, 2, 1)),
    ],
)
def test_weeks_are_those_of_iso_8601(name: str, starts_on: date, ends_on: date) -> None:
    week = Week.named(name)
    assert (week.starts_on, week.ends_on, week.name) == (starts_on, ends_on, name)
    assert Week.of(ends_on) == Week.of(starts_on) == week


@pytest.mark.parametrize(("name", "says"), [("2025-W53", "2025 has no week 53"), ("2026-5", "such as 2026-W47")])
def test_a_week_that_is_none(name: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Week.named(name)


def test_a_week_is_told_once_on_monday_morning(over: "Marketplace") -> None:
    assert over.queue(MONDAY - timedelta(hours=1)).weekly_report == 0, "half past six"
    assert over.queue(MONDAY).weekly_report == 1
    for later in (timedelta(0), timedelta(hours=3), timedelta(days=1), timedelta(days=6)):
        assert over.queue(MONDAY + later).weekly_report == 0
    ((topic, recipient, payload),) = over.outbox("weekly_report")
    assert (topic, recipient, payload["week"]["starts_on"]) == ("2026-W05", "head@example.org", "2026-01-26")

    over.execute("update marts.publication set as_of = '2026-02-09'")
    case(over, 1)
    assert over.queue(MONDAY + timedelta(days=7)).weekly_report == 1
    assert [topic for topic, _, _ in over.outbox("weekly_report")] == ["2026-W05", "2026-W06"]


def test_an_installation_that_starts_on_tuesday_sends_that_weeks_report(over: "Marketplace") -> None:
    assert over.queue(MONDAY + timedelta(days=1, hours=-7)).weekly_report == 1
    assert over.queue(MONDAY + timedelta(days=2)).weekly_report == 0


def test_a_week_waits_until_its_last_day_is_counted(over: "Marketplace") -> None:
    over.execute("update marts.publication set as_of = '2026-01-31'")
    assert over.queue(MONDAY).weekly_report == 0
    over.execute("update marts.publication set as_of = '2026-02-01'")
    assert over.queue(MONDAY).weekly_report == 1


def test_a_week_in_which_reporting_began_is_not_told(over: "Marketplace") -> None:
    over.execute("update app.report_switches set on_since = '2026-02-02 00:00+00'")
    assert over.queue(MONDAY).weekly_report == 0
    over.execute("update app.report_switches set on_since = '2026-02-01 23:59+00'")
    assert over.queue(MONDAY).weekly_report == 1


def test_a_week_without_sessions_and_cases_is_no_mail(over: "Marketplace") -> None:
    over.execute("delete from marts.platform_weekly where week_start = '2026-01-26'")
    no_cases(over)
    assert over.queue(MONDAY).weekly_report == 0
    case(over, 1)
    assert over.queue(MONDAY).weekly_report == 1


def test_leads_and_admins_get_it_once_each(over: "Marketplace") -> None:
    for email, role in (
        ("lead@example.org", "lead"),
        ("admin@example.org", "admin"),
        ("HEAD@example.org", "lead"),
        ("coach@example.org", "coach"),
        ("operator@localhost", "admin"),
    ):
        person(over, email, role)
    person(over, "gone@example.org", "lead", is_active=False)
    over.queue(MONDAY, mail_provider="smtp")
    told = [recipient for _, recipient, _ in over.outbox("weekly_report")]
    assert told == ["admin@example.org", "head@example.org", "lead@example.org"]


def test_mail_to_files_is_for_addresses_of_this_machine_too(over: "Marketplace") -> None:
    person(over, "operator@localhost", "admin")
    over.queue(MONDAY, mail_provider="file")
    assert [recipient for _, recipient, _ in over.outbox("weekly_report")] == [
        "head@example.org", "operator@localhost",
    ]  # fmt: skip


def test_concerns_that_came_and_went(over: "Marketplace") -> None:
    over.execute("delete from app.concern_stretches")
    over.concern(1, "no_shows", raised_on="2026-01-26")
    over.concern(3, "getting_worse")
    over.concern(3, "unreliable")
    flag(over, 1, "no_shows", "2026-01-26")
    flag(over, 2, "late_starts", "2025-12-01", "2026-01-30")
    flag(over, 2, "low_ratings", "2026-01-25", "2026-01-26")
    # Before and after the week; and a sudden change that says what `unreliable` says.
    flag(over, 4, "no_shows", "2026-01-10", "2026-01-25")
    flag(over, 3, "unreliable", "2026-01-20")
    flag(over, 3, "getting_worse", "2026-01-27")
    flag(over, 5, "unreliable", "2026-01-02", "2026-01-28")
    flag(over, 5, "getting_worse", "2026-01-02", "2026-01-28")
    concerns = told(over)["concerns"]
    assert (concerns["new"], concerns["cleared"]) == (1, 3)
    assert [
        (each["tutor"]["tutor_id"], each["concern"], each["is_new"], each["happened_on"])
        for each in concerns["changes"]
    ] == [
        (str(over.tutor(1)), "no_shows", True, "2026-01-26"),
        (str(over.tutor(2)), "late_starts", False, "2026-01-30"),
        (str(over.tutor(5)), "unreliable", False, "2026-01-28"),
        (str(over.tutor(2)), "low_ratings", False, "2026-01-26"),
    ]


def test_twelve_weeks_of_let_downs_without_gaps(over: "Marketplace") -> None:
    over.execute("delete from marts.platform_weekly where week_start = '2026-01-12'")
    trend = told(over)["trend"]
    assert len(trend) == 12
    assert [each["week_start"] for each in trend[-3:]] == ["2026-01-12", "2026-01-19", "2026-01-26"]
    assert (trend[-3]["sessions"], trend[-3]["let_down_rate"]) == (0, None)
    stored = over.execute(
        "select sessions, let_downs, let_down_rate from marts.platform_weekly where week_start = '2026-01-26'"
    )
    assert [(each["sessions"], each["let_downs"], each["let_down_rate"]) for each in trend[-1:]] == stored


def test_cases_of_the_week_and_what_stands_today(over: "Marketplace") -> None:
    no_cases(over)
    ann = person(over, "ann@example.org", "coach")
    opened = case(over, 1, opened_on="2026-01-26", owner_id=ann, state="assigned")
    late = case(over, 2, owner_id=ann, state="contacted", due_on="2026-02-01")
    soon = case(over, 3, owner_id=ann, state="contacted", due_on="2026-02-05")
    case(over, 4, snoozed_until="2026-02-20")
    closed = {"owner_id": ann, "state": "resolved"}
    case(over, 5, **closed, reason="improved", closed_at="2026-02-01T22:30Z")  # Sunday in Vienna
    case(over, 6, **closed, reason="no_effect", closed_at="2026-02-01T23:30Z")  # Monday there
    unowned = case(over, 7)
    urgent = case(over, 8, priority="high")
    payload = told(over)
    cases = payload["cases"]
    counts = {name: cases[name] for name in ("opened", "closed", "open", "overdue", "without_owner")}
    assert counts == {"opened": 1, "closed": 1, "open": 6, "overdue": 1, "without_owner": 2}, opened
    assert cases["reasons"] == [{"reason": "improved", "cases": 1}]
    assert [(each["case_id"], each["owner_name"]) for each in cases["overdue_cases"]] == [(late, "Ann Lee")]
    assert [each["case_id"] for each in cases["unowned_cases"]] == [urgent, unowned]
    follow_ups = payload["follow_ups"]
    assert (follow_ups["total"], [each["case_id"] for each in follow_ups["coming"]]) == (1, [soon])
    assert payload["outcomes"]["figures"]["opened"] == 8
    assert payload["outcomes"]["answers"] == ["Too few cases to tell yet: 0 of 10 with a talk."]


def test_sessions_at_risk_in_the_week_after(over: "Marketplace") -> None:
    """The week of the test itself, so that its sessions are still to come."""
    today = datetime.now(UTC).date()
    this_week = Week.of(today)
    over.execute("update marts.publication set as_of = %s", today)
    over.execute("delete from raw.sessions where status = 'scheduled'")
    monday_after = datetime.combine(this_week.after(1).starts_on, datetime.min.time(), UTC) + timedelta(hours=12)
    for tutor, days in ((1, 0), (1, 0), (1, 6), (1, 7), (2, 3)):
        over.session("scheduled", tutor=tutor, ago=datetime.now(UTC) - monday_after - timedelta(days=days))
    payload = told(over, this_week, today)
    upcoming = payload["upcoming"]
    assert upcoming["sessions"] == 4, "the eighth day is another week"
    risky = {
        str(tutor): rate
        for tutor, rate in over.execute(
            "select tutor_id, let_down_probability from marts.match_tutors where let_down_level = 'high'"
        )
    }
    counts = {str(over.tutor(1)): 3, str(over.tutor(2)): 1}
    expected = {tutor: count for tutor, count in counts.items() if tutor in risky}
    assert {each["tutor"]["tutor_id"]: each["sessions"] for each in upcoming["riskiest"]} == expected
    assert upcoming["at_risk"] == sum(expected.values())
    assert upcoming["expected_let_downs"] == pytest.approx(
        sum(count * risky[tutor] for tutor, count in expected.items())
    )


def mail_of(payload: dict[str, Any]) -> Rendered:
    return render(SETTINGS, "weekly_report", subject_of("weekly_report", payload), payload)


def test_the_mail_says_first_what_is_new_and_shows_every_section(over: "Marketplace") -> None:
    over.execute("delete from app.concern_stretches")
    over.execute("update marts.dim_tutors set name = '<b>Söhne</b>' where tutor_id = %s", over.tutor(1))
    flag(over, 1, "no_shows", "2026-01-26", "2026-01-29")
    case(over, 2, due_on="2026-01-30", state="contacted")
    payload = told(over)
    assert payload["sections"] == list(SECTIONS)
    mail = mail_of(payload)
    assert mail.subject == "Week 5: 1 new concern, 1 cleared, 1 case overdue"
    last = payload["trend"][-1]
    counted = f"{last['let_downs']:,} of {last['sessions']:,} sessions were let down"
    known = payload["calibration"]["totals"]
    for text in (mail.text, as_text(mail.html)):
        assert (
            "In week 5, from 26 January 2026 to 1 February 2026, 1 concern was raised: no-shows (1); 1 was cleared. "
            f"{counted}"
        ) in text
        for heading in ("Newly raised: 1", "Cleared: 1", "Let-downs by week", "Cases", "Outcomes", "Follow-ups due"):
            assert heading in text
        assert "Were the flags right?" in text
        assert f"Of {plural(known['raised'], 'check')} of flagged tutors and " in text
        assert f"{plural(known['forecasts'], 'forecast')}, one per tutor and Monday" in text
        assert "language model" not in text
        assert "The week ahead" in text
        assert "do not prove that conversations help" in text
        assert "None" not in text.replace("None in the week ahead", "").replace("None of", "")
    assert "https://q.example.org/weekly?week=2026-W05" in mail.text
    assert "<b>Söhne</b>: no-shows, since Monday 26 January, 91% chance beyond the limit" in mail.text
    assert "<b>Söhne" not in mail.html
    assert mail.html.count('class="filled"') == sum(bool(each["let_downs"]) for each in payload["trend"])


def test_a_quiet_week_says_so(over: "Marketplace") -> None:
    payload = told(over)
    payload["concerns"] = {"new": 0, "cleared": 0, "by_concern": [], "changes": []}
    payload["cases"] |= {"overdue": 0, "overdue_cases": []}
    payload["trend"] = [{**each, "sessions": 0, "let_downs": 0, "let_down_rate": None} for each in payload["trend"]]
    payload["upcoming"] = {
        "sessions": 0, "at_risk": 0, "students": 0, "tutors": 0, "expected_let_downs": 0, "riskiest": [],
    }  # fmt: skip
    payload["follow_ups"] = {"total": 0, "coming": []}
    told_of = narrative.told(payload["week"], payload | {"patterns": []})
    payload["narrative"] = told_of.narrative(told_of.texts, "rules").model_dump()
    mail = mail_of(payload)
    assert mail.subject == "Week 5: no new concern"
    for says in (
        "no concern was raised; none was cleared. There were no sessions.",
        "No planned sessions are left in the week ahead. No follow-up is due then.",
        "None in the week ahead.",
    ):
        assert says in mail.text


def test_before_the_first_roll_over_there_is_none(over: "Marketplace") -> None:
    over.execute("drop view marts.upcoming_sessions cascade")
    with over.database.connect() as connection:
        assert weekly.draft(connection, SETTINGS, WEEK, date(2026, 2, 2), []) is None
    assert over.queue(MONDAY).weekly_report == 0


def test_the_statement_reads_marts_as_the_sender_may(over: "Marketplace") -> None:
    """The role that queues mail, and not the owner, reads it."""
    with over.database.connect() as connection:
        connection.execute("set role tutorq_transform")
        with psycopg.RawCursor(connection) as cursor:
            row = cursor.execute(FACTS, [WEEK.starts_on, date(2026, 2, 2), "UTC"]).fetchone()
    assert row is not None
