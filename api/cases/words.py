"""Raised concerns in a few words, for lists."""

from datetime import date
from typing import Any

from core.concerns import LABELS, ConcernName, Recently, changed_to


def in_short(concern: dict[str, Any], recently: Recently) -> str:
    """`suddenly worse: 0% → 46% in the last 30 days`, `no-shows: 4 of 45 sessions`"""
    name = ConcernName(concern["concern"])
    return f"{LABELS[name]}: {_figures(name, concern, recently)}"


def suddenly(sudden: dict[str, Any], recently: Recently) -> str:
    """As `in_short`; what is superseded and has no rates to compare gets the day, as its counts stand beside it."""
    if sudden["superseded"] and changed_to(recently) is None:
        return f"{LABELS[ConcernName.GETTING_WORSE]} since {date.fromisoformat(sudden['raised_on']):%-d %B}"
    return in_short({"concern": ConcernName.GETTING_WORSE, **sudden}, recently)


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
