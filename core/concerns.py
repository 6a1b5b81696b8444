"""Concerns about a tutor as the API, the dashboard and mails list and word them. Nothing is computed here."""

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, Field

from core.let_downs import in_words
from core.words import estimated, percent, plural

Share = Annotated[float, Field(ge=0, le=1, examples=[0.93])]


class ConcernName(StrEnum):
    """Concerns about a tutor, in their fixed order."""

    UNRELIABLE = "unreliable"
    GETTING_WORSE = "getting_worse"
    NO_SHOWS = "no_shows"
    LATE_STARTS = "late_starts"
    LOSES_NEW_STUDENTS = "loses_new_students"
    LOW_RATINGS = "low_ratings"


LABELS = {
    ConcernName.UNRELIABLE: "unreliable",
    ConcernName.GETTING_WORSE: "suddenly worse",
    ConcernName.NO_SHOWS: "no-shows",
    ConcernName.LATE_STARTS: "late starts",
    ConcernName.LOSES_NEW_STUDENTS: "loses new students",
    ConcernName.LOW_RATINGS: "low ratings",
}

# Of a sudden change while the tutor is unreliable: both come from the same sessions.
SUPERSEDED = "Counted under Unreliable"

# For the tutor: what is counted, not what somebody is like.
TITLES = {
    ConcernName.UNRELIABLE: "Sessions that did not take place as booked",
    ConcernName.GETTING_WORSE: "A sudden change in the last weeks",
    ConcernName.NO_SHOWS: "Missed sessions",
    ConcernName.LATE_STARTS: "Late starts",
    ConcernName.LOSES_NEW_STUDENTS: "New students who did not come back",
    ConcernName.LOW_RATINGS: "Ratings by students",
}

# Whose trials count the less the older they are; the change filter is about now.
BY_AGE = {ConcernName.UNRELIABLE, ConcernName.NO_SHOWS, ConcernName.LATE_STARTS, ConcernName.LOW_RATINGS}

# What `clears_on` takes for granted.
UNTIL_THEN = {
    ConcernName.UNRELIABLE: "every session is held",
    ConcernName.GETTING_WORSE: "every session is held",
    ConcernName.NO_SHOWS: "no session is missed",
    ConcernName.LATE_STARTS: "every session begins on time",
    ConcernName.LOSES_NEW_STUDENTS: "new students stay as often as usual",
    ConcernName.LOW_RATINGS: "ratings are as usual",
}


class ConcernStatus(StrEnum):
    """Status of a concern. `watch`: likely, but not likely enough to be raised."""

    INSUFFICIENT_DATA = "insufficient_data"
    OK = "ok"
    WATCH = "watch"
    RAISED = "raised"


class Concern(BaseModel):
    """What is known of one concern about one tutor: a row of `marts.tutor_concerns`."""

    concern: ConcernName
    status: ConcernStatus
    superseded: bool = Field(
        description="Whether it does not count because a more serious concern covers it: suddenly worse, while also "
        "unreliable."
    )
    probability: Share | None = Field(
        description="Probability that the rate is above the threshold; for ratings, that the mean is below it."
    )
    threshold: float = Field(description="The limit: a rate, 0-1, or a mean rating, 1-5.")
    trials: int = Field(
        ge=0,
        description="Number of sessions or starts in 90 days, first meetings in 365, or ratings in 180.",
        examples=[45],
    )
    events: int | None = Field(description="Of these, unwanted events; null for ratings.", examples=[12])
    raw_rate: float | None = Field(
        description="Events per trial, 0-1, or the mean rating, 1-5, as counted, including chance; null without "
        "trials.",
        examples=[0.27],
    )
    expected: float | None = Field(description="Estimated true rate, 0-1, or mean rating, 1-5.", examples=[0.24])
    low: float | None = Field(description="5% quantile of the estimate.", examples=[0.18])
    high: float | None = Field(description="95% quantile of the estimate.", examples=[0.31])
    raised_on: date | None = Field(
        description="First day of the unbroken stretch on which it is raised; null if it is not raised."
    )
    last_high_on: date | None = Field(
        description="Last day with a probability high enough to raise it; null if it is not raised."
    )
    clears_on: date | None = Field(
        description=(
            "First day on which it would no longer be raised if sessions continue as in the last 30 days "
            "without further events; null if it is not raised, or beyond a year. As of the last run."
        )
    )


class Rules(BaseModel):
    """The columns of `marts.publication` that sentences about concerns need."""

    reliability_counts: list[str]
    high_risk_probability: float
    watch_probability: float
    late_start_minutes: float
    first_session_follow_up_days: int
    first_session_window_days: int


class Recently(BaseModel):
    """The columns of `marts.tutor_scores` that say how the last 30 days differ from the 30 before."""

    let_down_rate_30d: float | None
    trend_30d: float | None


def in_order(column: str) -> str:
    """SQL by which concerns are listed in their fixed order."""
    return f"array_position(array{[name.value for name in ConcernName]}, {column})"


def label(name: str) -> str:
    """`getting_worse` -> `suddenly worse`"""
    return LABELS[ConcernName(name)]


def title(name: str) -> str:
    """`getting_worse` -> `A sudden change in the last weeks`, as the tutor is told."""
    return TITLES[ConcernName(name)]


def listed(names: Sequence[str]) -> str:
    """`['unreliable', 'no_shows']` -> `unreliable, no-shows`"""
    return ", ".join(label(name) for name in names)


def sentence(concern: Concern, rules: Rules, who: str = "The tutor", recently: Recently | None = None) -> str:
    """What was counted, what is likely from now on, and how likely that is beyond the limit.

    A raised sudden change begins with the change, if it is known: what was counted is the same as of `unreliable`.
    """
    is_sudden = concern.concern is ConcernName.GETTING_WORSE and concern.status is ConcernStatus.RAISED
    changed = changed_to(recently) if is_sudden and recently else None
    said = _sentence(concern, rules, who)
    return said if changed is None else f"{changed}. {said}"


def _sentence(concern: Concern, rules: Rules, who: str) -> str:
    if concern.status is ConcernStatus.INSUFFICIENT_DATA:
        return f"{_counted(concern, rules, who)}: too few to judge."
    is_rating = concern.concern is ConcernName.LOW_RATINGS
    write = _rating if is_rating else percent
    return (
        f"{_counted_share(concern, rules, who)}. {_likely(concern)}; "
        f"the chance that it is {'below' if is_rating else 'above'} the limit of {write(concern.threshold)} is "
        f"{estimated(concern.probability)}."
    )


def plainly(concern: Concern, rules: Rules, who: str = "You") -> str:
    """What was counted, what is likely from now on, and the limit: for a tutor, without a probability."""
    write = _rating if concern.concern is ConcernName.LOW_RATINGS else percent
    return f"{_counted_share(concern, rules, who)}. {_likely(concern)}. The limit is {write(concern.threshold)}."


def beyond(name: str, threshold: float | None) -> str:
    """`above 15%`, of ratings `below 4.0`; without a threshold, `above the limit`."""
    is_rating = name == ConcernName.LOW_RATINGS
    write = _rating if is_rating else percent
    return f"{'below' if is_rating else 'above'} {'the limit' if threshold is None else write(threshold)}"


def change(before: float, now: float) -> str:
    """`7.0% → 30% in the last 30 days`"""
    return f"{percent(before)} → {percent(now)} in the last 30 days"


def changed_to(recently: Recently) -> str | None:
    """`7.0% → 30% in the last 30 days`; None if the 30 days were no worse than those before."""
    now, trend = recently.let_down_rate_30d, recently.trend_30d
    if now is None or trend is None or trend <= 0:
        return None
    return change(max(0.0, now - trend), now)


def ending(concern: Concern, rules: Rules) -> str | None:
    """What ends a raised concern; None if it is not raised."""
    if concern.status is not ConcernStatus.RAISED:
        return None
    if concern.superseded:
        return f"{SUPERSEDED}."
    high, watch = percent(rules.high_risk_probability), percent(rules.watch_probability)
    if concern.clears_on is not None:
        ends = f"Ends on {concern.clears_on:%-d %B %Y} if {UNTIL_THEN[concern.concern]} until then."
    else:
        ends = f"Ends when this chance falls below {watch}, or stays below {high} for 30 days."
    is_below = concern.probability is not None and concern.probability < rules.high_risk_probability
    if is_below and concern.last_high_on is not None:
        return f"The chance last reached {high} on {concern.last_high_on:%-d %B %Y}. {ends}"
    return ends


def _likely(concern: Concern) -> str:
    write = _rating if concern.concern is ConcernName.LOW_RATINGS else percent
    when = "Right now" if concern.concern is ConcernName.GETTING_WORSE else "From now on"
    # Or a reader divides, and finds another number than the estimate.
    why = ", because the last weeks weigh more" if concern.concern in BY_AGE else ""
    return f"{when}, {write(concern.low)} to {write(concern.high)} is likely{why}"


def _counted_share(concern: Concern, rules: Rules, who: str) -> str:
    if concern.raw_rate is None:
        return _counted(concern, rules, who)
    if concern.concern is ConcernName.LOW_RATINGS:
        return f"{_counted(concern, rules, who)}, {_rating(concern.raw_rate)} on average"
    return f"{_counted(concern, rules, who)}, {percent(concern.raw_rate)}"


def _counted(concern: Concern, rules: Rules, who: str) -> str:
    of = "" if concern.events is None else f"{concern.events:,} of"  # ratings have no events
    match concern.concern:
        case ConcernName.UNRELIABLE | ConcernName.GETTING_WORSE:
            sessions = plural(concern.trials, "session")
            return f"{who} {in_words(rules.reliability_counts)} {of} {sessions} in 90 days"
        case ConcernName.NO_SHOWS:
            return f"{who} missed {of} {plural(concern.trials, 'session')} in 90 days"
        case ConcernName.LATE_STARTS:
            late = f"more than {rules.late_start_minutes:g} minutes late"
            return f"{who} began {of} {plural(concern.trials, 'session')} {late} in 90 days"
        case ConcernName.LOSES_NEW_STUDENTS:
            days = rules.first_session_window_days
            stayed = f"did not come back within {rules.first_session_follow_up_days} days"
            return f"{of} {plural(concern.trials, 'new student')} in {days} days {stayed}"
        case ConcernName.LOW_RATINGS:
            return f"{plural(concern.trials, 'rating')} in 180 days"


def _rating(mean: float | None) -> str:
    return "unknown" if mean is None else f"{mean:.1f}"
