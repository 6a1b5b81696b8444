"""The weekly report for leads: one week of concerns, let-downs and cases, and the week after it, with its words.

The mail and the page (`GET /api/weekly-report`) read the same statement (`weekly_sections.py`).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import psycopg

from core.case_answers import FollowedCase, answers
from core.database import Database
from core.settings import Settings
from reports import narrative, wording
from reports.kinds import KINDS, ReportKind
from reports.outbox import Draft
from reports.subjects import subject_of
from reports.weekly_sections import FACTS, IS_READY, SECTIONS

Json = dict[str, Any]

WEEK_NAME = re.compile(r"(\d{4})-W(0[1-9]|[1-4]\d|5[0-3])")


@dataclass(frozen=True, slots=True)
class Week:
    """Monday to Sunday in the reporting zone."""

    starts_on: date

    @classmethod
    def of(cls, day: date) -> "Week":
        return cls(day - timedelta(days=day.weekday()))

    @classmethod
    def named(cls, name: str) -> "Week":
        """`2026-W47`, as ISO 8601 numbers weeks.

        Raises:
            ValueError: it is no such name, or the year has no such week.
        """
        match = WEEK_NAME.fullmatch(name)
        if match is None:
            raise ValueError("is not a week such as 2026-W47")
        try:
            return cls(date.fromisocalendar(int(match[1]), int(match[2]), 1))
        except ValueError:
            raise ValueError(f"{match[1]} has no week {match[2]}") from None

    @property
    def name(self) -> str:
        year, week, _ = self.starts_on.isocalendar()
        return f"{year}-W{week:02}"

    @property
    def ends_on(self) -> date:
        return self.starts_on + timedelta(days=6)

    def after(self, weeks: int) -> "Week":
        return Week(self.starts_on + timedelta(weeks=weeks))


ON_SINCE = "select on_since from app.report_switches where switch = %s"

# An address of this machine is a mailbox only where mail is written to files ($1).
LEADS = """
select email from app.people
where is_active and role in ('lead', 'admin') and ($1::boolean or lower(email) not like '%@localhost')
order by person_id
"""


def finished(facts: Json, words: narrative.Narrative) -> Json:
    """What FACTS gives, with words in place of what they are made of: the answers to "did it help?", the narrative."""
    outcomes = dict(facts["outcomes"])
    cases = [FollowedCase.model_validate(case) for case in outcomes.pop("followed")]
    outcomes["answers"] = answers(cases, is_drawn=outcomes.pop("is_drawn"))
    others = {name: part for name, part in facts.items() if name != "patterns"}
    return {"narrative": words.model_dump(), **others, "outcomes": outcomes}


def recipients(settings: Settings, leads: Iterable[str]) -> list[str]:
    """Staff addresses and those of leads and admins, each once."""
    found: dict[str, str] = {}
    for address in (*settings.staff_addresses, *leads):
        found.setdefault(address.lower(), address)
    return list(found.values())


def due(connection: psycopg.Connection, settings: Settings, local: datetime, on_since: datetime) -> Draft | None:
    """The report on the week that ended last, from Monday morning on; None if it is told, or there is nothing to tell.

    Whoever starts late in the week still gets it. Nothing is told of a week in which reporting was not on to its end.
    """
    week = _untold(connection, local, on_since)
    if week is None:
        return None
    with psycopg.RawCursor(connection) as cursor:
        leads = cursor.execute(LEADS, [settings.mail_provider == "file"]).fetchall()
    found = draft(connection, settings, week, local.date(), recipients(settings, [email for (email,) in leads]))
    return found if found is not None and _is_worth_telling(week, found.payload) else None


def ask_for_words(database: Database, settings: Settings, local: datetime) -> None:
    """Have a language model, if there is one, word the report that is due, before it is queued: nobody waits under a
    lock. What it has not written in time is told in the words of rules."""
    with database.connect() as connection:
        row = connection.execute(ON_SINCE, [ReportKind.WEEKLY_REPORT]).fetchone()
        week = _untold(connection, local, row[0]) if row else None
        facts = _facts(connection, settings, week, local.date()) if week else None
    if week is not None and facts is not None and _is_worth_telling(week, facts):
        wording.ask(database, settings, narrative.told(described(week), facts).task())


def _untold(connection: psycopg.Connection, local: datetime, on_since: datetime) -> Week | None:
    """The week that is to be told now."""
    this_week = Week.of(local.date())
    schedule = KINDS[ReportKind.WEEKLY_REPORT].schedule
    assert schedule is not None
    if local < datetime.combine(this_week.starts_on, schedule.begins, local.tzinfo):
        return None
    if on_since >= datetime.combine(this_week.starts_on, time(0), local.tzinfo):
        return None
    week = this_week.after(-1)
    told = connection.execute("select exists (select from app.email_reports where topic = %s)", [_topic(week)])
    return None if told.fetchone() == (True,) else week


def draft(
    connection: psycopg.Connection, settings: Settings, week: Week | None, today: date, to: Sequence[str]
) -> Draft | None:
    """The report on a week, or else on the last whole one before the as-of day; None before the first roll-over."""
    if week is None:
        week = _last_week(connection, today)
    facts = _facts(connection, settings, week, today)
    if facts is None:
        return None
    told = narrative.told(described(week), facts)
    written = wording.kept(connection, settings, told.task())
    words = told.narrative(written, "model") if written else told.narrative(told.texts, "rules")
    payload = {"week": described(week), "sections": list(SECTIONS), **finished(facts, words)}
    return Draft(ReportKind.WEEKLY_REPORT, _topic(week), to, subject_of(ReportKind.WEEKLY_REPORT, payload), payload)


def _last_week(connection: psycopg.Connection, today: date) -> Week:
    if connection.execute(IS_READY).fetchone() != (True,):
        return Week.of(today).after(-1)
    (as_of,) = connection.execute("select as_of from marts.publication").fetchone() or (today,)
    return Week.of(as_of).after(-1)


def _facts(connection: psycopg.Connection, settings: Settings, week: Week, today: date) -> Json | None:
    """What FACTS gives; None before the first roll-over."""
    if connection.execute(IS_READY).fetchone() != (True,):
        return None
    with psycopg.RawCursor(connection) as cursor:
        row = cursor.execute(FACTS, [week.starts_on, today, settings.timezone]).fetchone()
    return None if row is None else row[1]


def described(week: Week) -> Json:
    """The week as payloads name it."""
    return {
        "name": week.name,
        "number": week.starts_on.isocalendar().week,
        "starts_on": week.starts_on.isoformat(),
        "ends_on": week.ends_on.isoformat(),
    }


def _topic(week: Week) -> str:
    return f"{ReportKind.WEEKLY_REPORT}:{week.name}"


def _is_worth_telling(week: Week, facts: Json) -> bool:
    """The last day is counted, and there were sessions in the week, or somebody has a case to see to."""
    has_news = bool(facts["trend"][-1]["sessions"] or facts["cases"]["open"])
    return has_news and str(facts["as_of"]) >= week.ends_on.isoformat()
