"""Raised concerns in a few words, for lists."""

from datetime import date
from typing import Any

from pydantic import BaseModel

from core.concerns import LABELS, ConcernName, change


class Recently(BaseModel):
    """What `in_short` needs of the tutor's scores."""

    let_down_rate_30d: float | None
    trend_30d: float | None


def in_short(concern: dict[str, Any], recently: Recently) -> str:
    """`suddenly worse: 0% → 46% in the last 30 days`, `no-shows: 4 of 45 sessions`"""
    name = ConcernName(concern["concern"])
    return f"{LABELS[name]}: {_figures(name, concern, recently)}"


def suddenly(sudden: dict[str, Any], recently: Recently) -> str:
    """As `in_short`; what is superseded and has no rates to compare gets the day, as its counts stand beside it."""
    if sudden["superseded"] and changed_to(recently) is None:
        return f"{LABELS[ConcernName.GETTING_WORSE]} since {date.fromisoformat(sudden['raised_on']):%-d %B}"
    return in_short({"concern": ConcernName.GETTING_WORSE, **sudden}, recently)


def changed_to(recently: Recently) -> str | None:
    """`7.0% → 30% in the last 30 days`; None if the 30 days were no worse than those before."""
    now, trend = recently.let_down_rate_30d, recently.trend_30d
    if now is None or trend is None or trend <= 0:
        return None
    return change(max(0.0, now - trend), now)


def _figures(name: ConcernName, concern: dict[str, Any], recently: Recently) -> str:
    changed = changed_to(recently)
    if name is ConcernName.GETTING_WORSE and changed is not None:
        return changed
    if name is ConcernName.LOW_RATINGS:
        return f"{concern['raw_rate']:.1f} on average of {concern['trials']:,}"
    of = f"{concern['events']:,} of {concern['trials']:,}"
    match name:
        case ConcernName.LOSES_NEW_STUDENTS:
            return f"{of} did not stay"
        case ConcernName.NO_SHOWS:
            return f"{of} sessions missed"
        case ConcernName.LATE_STARTS:
            return f"{of} sessions began late"
        case _:
            return f"{of} sessions let down"
