"""Patterns as the API, the dashboard and mails list and word them. Nothing is computed here."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, Field

from core.let_downs import in_words
from core.words import percent, plural

Share = Annotated[float, Field(ge=0, le=1, examples=[0.35])]

PATTERN_DAYS = 180
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LESSONS = {"first": "in first sessions with a student", "repeated": "in later sessions with a student"}
IN_SHORT = {"first": "first sessions", "repeated": "later sessions"}


class Dimension(StrEnum):
    """How sessions are grouped."""

    WEEKDAY = "weekday"
    DAYPART = "daypart"
    SUBJECT = "subject"
    LESSON = "lesson"


class Pattern(BaseModel):
    """A slot in which a tutor lets down more sessions than in the tutor's others: a row of `marts.tutor_patterns`."""

    dimension: Dimension = Field(description="`lesson`: the first one of a student, or a later one.")
    level: str = Field(
        description="1 Monday to 7 Sunday; hours as `14-18`; a subject; `first` or `repeated`.", examples=["5"]
    )
    sessions: int = Field(ge=0, description="Sessions in this slot, in 180 days.", examples=[40])
    let_downs: int = Field(ge=0, description="Of these, let-downs.", examples=[14])
    rate: Share = Field(description="Let-downs per session.")
    other_sessions: int = Field(ge=0, description="The tutor's other sessions.", examples=[160])
    other_let_downs: int = Field(ge=0, description="Of these, let-downs.", examples=[18])
    other_rate: Share = Field(description="Let-downs per session in the other slots.", examples=[0.11])
    rate_expected: Share = Field(description="The expected rate in this slot, shrunk towards the tutor's own rate.")
    q_value: Share = Field(
        description="Expected share of false ones among all slots that stand out as much; at most 0.1.", examples=[0.02]
    )


# In the order in which patterns are listed: the surest first.
ORDER = "patterns.q_value, patterns.let_downs desc, patterns.pattern_key"


def of_tutor(tutor_id: str) -> str:
    """SQL: a JSON array of the patterns of the tutor whose id is this expression; of the platform, `null`."""
    columns = ", ".join(f"patterns.{name}" for name in Pattern.model_fields)
    condition = "patterns.tutor_id is null" if tutor_id == "null" else f"patterns.tutor_id = {tutor_id}"
    return f"""(
        select coalesce(json_agg(known), '[]')
        from (
            select {columns} from marts.tutor_patterns as patterns
            where patterns.is_pattern and {condition}
            order by {ORDER}
        ) as known
    )"""


def slot(pattern: Pattern) -> str:
    """`Fridays`, `14:00 to 18:00`, `Maths`, `first sessions`."""
    match pattern.dimension:
        case Dimension.WEEKDAY:
            return f"{WEEKDAYS[int(pattern.level) - 1]}s"
        case Dimension.DAYPART:
            return _hours(pattern.level)
        case Dimension.SUBJECT:
            return pattern.level
        case Dimension.LESSON:
            return IN_SHORT[pattern.level]


def in_short(pattern: Pattern) -> str:
    """`Fridays: 35% let down, otherwise 11%`."""
    words = f"{slot(pattern)}: {percent(pattern.rate)} let down, otherwise {percent(pattern.other_rate)}"
    return words[:1].upper() + words[1:]


def sentence(pattern: Pattern, counts: Sequence[str], who: str = "the tutor") -> str:
    """What was counted in the slot and in the others, and what to expect there.

    counts: what makes a let-down (`TUTORQ_RELIABILITY_COUNTS`).
    """
    where = _where(pattern)
    counted = f"{pattern.let_downs:,} of {plural(pattern.sessions, 'session')} in {PATTERN_DAYS} days"
    return (
        f"{where[:1].upper()}{where[1:]}, {who} {in_words(counts)} {counted}, {percent(pattern.rate)}; otherwise "
        f"{percent(pattern.other_rate)}. About {percent(pattern.rate_expected)} is to be expected there."
    )


def of_platform(pattern: Pattern) -> str:
    """The same of all sessions: `On Fridays, 13% of all sessions are let down, otherwise 9.0%.`"""
    where = _where(pattern)
    return (
        f"{where[:1].upper()}{where[1:]}, {percent(pattern.rate)} of all sessions are let down, otherwise "
        f"{percent(pattern.other_rate)}."
    )


def question(pattern: Pattern) -> str:
    """What to ask a tutor about it."""
    return f"What makes sessions {_where(pattern)} harder to keep than others?"


def _where(pattern: Pattern) -> str:
    match pattern.dimension:
        case Dimension.WEEKDAY:
            return f"on {slot(pattern)}"
        case Dimension.DAYPART:
            first, last = pattern.level.split("-")
            return _hours(pattern.level) if first == "0" or last == "24" else f"from {_hours(pattern.level)}"
        case Dimension.SUBJECT:
            return f"in {pattern.level}"
        case Dimension.LESSON:
            return LESSONS[pattern.level]


def _hours(level: str) -> str:
    first, last = level.split("-")
    if first == "0":
        return f"before {last}:00"
    return f"after {first}:00" if last == "24" else f"{first}:00 to {last}:00"
