"""Column by column: does the mart hold what was recomputed, within the tolerance of its kind?"""

from datetime import date, datetime
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from verify.columns import CARRIED_THROUGH, COMPONENT, EXACT, PROBABILITY_TOLERANCE, RATE, TOLERANCES
from verify.inputs import Basis
from verify.recompute.scores import ranked_peers, risk_status
from verify.report import EXAMPLES, ColumnReport, Difference, VerifyReport

Column: TypeAlias = "pd.Series[Any]"
Floats: TypeAlias = npt.NDArray[np.float64]


def compare(
    recomputed: pd.DataFrame, published: pd.DataFrame, basis: Basis, notes: tuple[str, ...] = ()
) -> VerifyReport:
    """Compare the output of `recompute` with all columns of the mart (same index; Python objects, None for null)."""
    is_repeated = published.index.duplicated()
    repeated, published = published.index[is_repeated], published[~is_repeated]
    tutors = recomputed.index.intersection(published.index)
    ours, theirs = recomputed.loc[tutors], published.loc[tutors]
    computed, found = [str(name) for name in recomputed], [str(name) for name in published]
    return VerifyReport(
        basis=basis,
        tutors=len(tutors),
        missing_tutors=tuple(recomputed.index.difference(published.index)),
        extra_tutors=(*published.index.difference(recomputed.index), *repeated),
        missing_columns=tuple(name for name in (*CARRIED_THROUGH, *computed) if name not in found),
        unknown_columns=tuple(name for name in found if name not in (*CARRIED_THROUGH, *computed)),
        columns=tuple(
            _compare_column(ours[name], theirs[name], _ambiguous(ours, theirs[name], recomputed, basis))
            for name in computed
            if name in found
        ),
        notes=notes,
    )


def _compare_column(ours: Column, theirs: Column, is_acceptable: Column) -> ColumnReport:
    name = str(ours.name)
    tolerance = TOLERANCES.get(name, EXACT)
    is_null, is_null_there = ours.isna().to_numpy(dtype=bool), _is_none(theirs).to_numpy(dtype=bool)
    is_same = is_null & is_null_there
    both = ~is_null & ~is_null_there
    largest = None
    if name == "risk_status":
        is_same |= both & (ours.astype("object") == theirs).to_numpy(dtype=bool)
    else:
        values, values_there = _numbers(ours[both]), _numbers(theirs[both])
        distance = np.abs(values - values_there)
        scale = np.maximum(1, np.abs(values)) if tolerance.is_relative else 1.0
        # NaN in the mart is a number that compares as false: a difference, as it should be.
        is_same[both] = distance <= tolerance.limit * scale
        distance = distance[np.isfinite(distance)]
        largest = float(distance.max()) if distance.size else None
    accepted = is_acceptable.to_numpy(dtype=bool) & ~is_same
    wrong = ~is_same & ~accepted
    return ColumnReport(
        column=name,
        compared=len(ours),
        differences=int(wrong.sum()),
        borderline=int(accepted.sum()),
        largest_difference=largest,
        tolerance=tolerance,
        examples=tuple(
            Difference(
                str(ours.index[at]), _plain(ours.iloc[at], is_null[at]), _plain(theirs.iloc[at], is_null_there[at])
            )
            for at in np.flatnonzero(wrong)[:EXAMPLES]
        ),
    )


def _is_none(values: Column) -> Column:
    return values.map(lambda value: value is None).astype(bool)


def _numbers(values: Column) -> Floats:
    return np.array([_number(value) for value in values], dtype=np.float64)


def _number(value: Any) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, date):
        return float(value.toordinal())
    return float(value)


def _plain(value: Any, is_null: bool) -> str | float | None:
    if is_null:
        return None
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return value
    # JSON has no spelling for NaN and infinity.
    return float(value) if np.isfinite(float(value)) else str(value)


def _ambiguous(ours: pd.DataFrame, theirs: Column, recomputed: pd.DataFrame, basis: Basis) -> Column:
    """Where a value of the mart is as right as ours, because of what the probability or the score may be off by."""
    match theirs.name:
        case "risk_status":
            return _ambiguous_status(ours, theirs, basis)
        case "is_high_risk":
            return _ambiguous_flag(ours, theirs, basis)
        case "sessions_to_clear":
            return _ambiguous_clearing(ours, theirs, basis)
        case "peer_percentile":
            # A tie that rounding breaks in one computation moves the rank in the other.
            return _ambiguous_percentile(recomputed, theirs)
        case _:
            return pd.Series(False, index=theirs.index)


def _possible_statuses(ours: pd.DataFrame, basis: Basis) -> list[Column]:
    """The statuses at either end of what the probability may be."""
    return [
        risk_status(ours["sessions_90d"], ours["risk_probability"] + shift, basis)
        for shift in (-PROBABILITY_TOLERANCE, PROBABILITY_TOLERANCE)
    ]


def _ambiguous_status(ours: pd.DataFrame, theirs: Column, basis: Basis) -> Column:
    lower, upper = _possible_statuses(ours, basis)
    return (theirs == lower.astype("object")) | (theirs == upper.astype("object"))


def _ambiguous_flag(ours: pd.DataFrame, theirs: Column, basis: Basis) -> Column:
    lower, upper = _possible_statuses(ours, basis)
    return ((lower == "high_risk") != (upper == "high_risk")) & ~_is_none(theirs)


def _ambiguous_clearing(ours: pd.DataFrame, theirs: Column, basis: Basis) -> Column:
    """One side has no number because it sees no flag, or because it counts one session more than the limit."""
    lower, upper = _possible_statuses(ours, basis)
    limit = basis.most_sessions_to_clear
    is_flag_ambiguous = (lower == "ok") & (upper != "ok")
    is_at_limit = (ours["sessions_to_clear"].fillna(0) == limit) | (theirs == limit)
    is_one_null = ours["sessions_to_clear"].isna() != _is_none(theirs)
    return is_one_null & (is_flag_ambiguous | is_at_limit)


def _ambiguous_percentile(recomputed: pd.DataFrame, theirs: Column) -> Column:
    """Between the percentiles with all near ties below and all of them above, scores equal up to rounding."""
    peers = ranked_peers(recomputed["quality_score"], recomputed["risk_status"])
    scores = peers.to_numpy(dtype=np.float64)
    ordered = np.sort(scores)
    slack = COMPONENT.limit * np.maximum(1, np.abs(scores))
    others = max(1, len(peers) - 1)
    lowest = pd.Series(np.searchsorted(ordered, scores - slack, side="left") / others, index=peers.index)
    highest = pd.Series((np.searchsorted(ordered, scores + slack, side="right") - 1) / others, index=peers.index)
    found = theirs.astype("float64")
    lower, upper = lowest.reindex(found.index), highest.reindex(found.index)
    return (found >= lower - RATE.limit) & (found <= upper + RATE.limit)
