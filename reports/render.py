"""From what was queued to subject, text and HTML. Nothing is looked up: the payload holds all of it."""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from core import appeals, concerns, patterns
from core.let_downs import in_words
from core.settings import Settings
from core.words import about, percent, plural
from reports import told
from reports.subjects import CLOSE_REASONS, REASONS, STATUSES, long_date, month_name, short_date, tutor_name, weekday

UUID_PATTERN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TEMPLATES = Path(__file__).parent / "templates"
# A line above mail that tells nobody anything, by the payload's `mark`.
MARKS = {
    "test": "This is a test with the figures of today. tutorq sent it only to you.",
    "test of an example": "This is a test with invented facts. tutorq sent it only to you.",
    "sample": "This is a sample of the demo. tutorq never sent this mail.",
    "example": "This is an example with invented facts.",
}


@dataclass(frozen=True, slots=True)
class Rendered:
    """The parts of a mail."""

    subject: str
    text: str
    html: str


def render(settings: Settings, kind: str, subject: str, payload: dict[str, Any]) -> Rendered:
    """Render one mail.

    Raises:
        jinja2.TemplateError: the payload lacks something that the template shows.
    """
    is_list = kind in ("session_report", "risk_alert") and "total" in payload
    template = f"{kind}_list" if is_list else kind
    zone = ZoneInfo(payload.get("zone") or settings.timezone)
    context = {
        **_of_today(payload),
        "report_kind": kind,
        "headline": subject,
        "mark": MARKS.get(payload.get("mark", ""), ""),
        "dashboard": settings.dashboard,
        "zone": zone.key,
        "told": lambda item: told.line(item, zone),
        "page": lambda item: told.link(item, settings.dashboard),
        "link_days": settings.page_link_days,
        "when": lambda text: f"{datetime.fromisoformat(text).astimezone(zone):%a %-d %b %Y, %H:%M}",
    }
    html = _environment(is_html=True).get_template(f"{template}.html.j2").render(context)
    text = _environment(is_html=False).get_template(f"{template}.txt.j2").render(context)
    return Rendered(subject, _tidy(text), html)


# What was queued before let-downs were counted: moves by the tutor were all that counted.
RENAMED = {
    "let_downs_90d": "tutor_reschedules_90d",
    "let_down_rate_90d": "reschedule_rate_90d",
    "let_down_rate_expected": "reschedule_rate_expected",
    "let_down_rate_low": "reschedule_rate_low",
    "let_down_rate_high": "reschedule_rate_high",
    "short_notice_90d": "short_notice_reschedules_90d",
    "let_downs": "tutor_reschedules",
}
ADDED: dict[str, Any] = {
    "tutor_cancellations_90d": 0,
    "tutor_cancellations": 0,
    "reliability_counts": ["reschedules"],
    # Before there were concerns beside the risk.
    "concerns": [],
}


def _of_today(queued: Any) -> Any:
    """A payload, or a part of one, with the names of today's templates: the version before may have queued it."""
    if isinstance(queued, list):
        return [_of_today(part) for part in queued]
    if not isinstance(queued, dict):
        return queued
    # Counts by reason have the reasons as names: what is added to them would be a reason that nobody knows.
    parts = {name: part if name == "counts" else _of_today(part) for name, part in queued.items()}
    known = {name: parts[old] for name, old in RENAMED.items() if old in parts}
    return ADDED | known | parts


@cache
def _environment(*, is_html: bool) -> Environment:
    # By part and not by file name: sentences that both parts include are escaped in one and not in the other.
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=is_html,  # noqa: S701
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        about=about,
        percent=percent,
        plural=plural,
        rate=lambda fraction: f"{fraction:.1%}",
        thousands=lambda number: f"{number:,}",
        tutor_name=tutor_name,
        day=long_date,
        short_day=short_date,
        weekday=weekday,
        month=month_name,
        reason=lambda code: REASONS[code],
        status=lambda code: STATUSES[code],
        close_reason=lambda code: CLOSE_REASONS[code],
        notice=notice,
        short=short,
        plain=lambda code: str(code).replace("_", " "),
        verbs=in_words,
        concern=concerns.label,
        title_of=concerns.title,
        happened=appeals.happened,
        remedy=appeals.remedy,
        said=lambda code: appeals.REASONS[code],
        concerns=lambda known: concerns.listed([each["concern"] for each in known]),
        sentence=_sentence,
        pattern=lambda known: patterns.in_short(patterns.Pattern.model_validate(known)),
        ending=lambda known, rules: concerns.ending(_concern(known), _rules(rules)),
    )
    return environment


def _sentence(known: dict[str, Any], rules: dict[str, Any], who: str = "The tutor") -> str:
    return concerns.sentence(_concern(known), _rules(rules), who)


def _concern(row: dict[str, Any]) -> concerns.Concern:
    return concerns.Concern.model_validate(row)


def _rules(row: dict[str, Any]) -> concerns.Rules:
    return concerns.Rules.model_validate(row)


def notice(hours: float | None) -> str:
    """Hours before the session, rounded down as on the dashboard (`notice` in dashboards/src/lib/format.ts)."""
    if hours is None:
        return "unknown"
    if hours < 0:
        return "after the planned start"
    if hours < 1:
        return "less than an hour before"
    if hours < 48:
        return f"{plural(int(hours), 'hour')} before"
    return f"{plural(int(hours // 24), 'day')} before"


def short(reference: str) -> str:
    """A UUID by its first part, which is enough to find it; ids of the marketplace's own as they are."""
    return reference[:8] if UUID_PATTERN.fullmatch(reference) else reference


def _tidy(text: str) -> str:
    """Lines without spaces at the end, and never two empty ones in a row."""
    lines: list[str] = []
    for line in (line.rstrip() for line in text.strip().splitlines()):
        if line or (lines and lines[-1]):
            lines.append(line)
    return "\n".join(lines) + "\n"
