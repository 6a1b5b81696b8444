"""Column by column: does the mart hold what was recomputed, within the tolerance of its kind?"""

from datetime import date, datetime
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from verify.columns import (
    CARRIED_THROUGH,
    CONCERN_TOLERANCES,
    EXACT,
    QUALITY,
    RATE,
    TOLERANCES,
    Tolerance,
)
from verify.inputs import Basis
from verify.recompute.scores import ranked_peers
from verify.report import EXAMPLES, ColumnReport, Difference, VerifyReport

Column: TypeAlias = "pd.Series[Any]"
Floats: TypeAlias = npt.NDArray[np.float64]

TEXTS = ("risk_status", "concerns", "status", "concern", "tutor_id")
FOLLOW_FROM_LEVELS = ("status", "superseded", "raised_on", "last_high_on", "clears_on")
SCORES_FROM_LEVELS = ("risk_status", "is_high_risk", "concerns", "attention")


def compare(
    recomputed: pd.DataFrame, published: pd.DataFrame, basis: Basis, notes: tuple[str, ...] = ()
) -> VerifyReport:
    """Compare recomputed scores with all columns of the mart (same index; Python objects, None for null).

    Where a probability is near a level, what follows from it is as right as ours.
    """
    is_near, recomputed = recomputed["is_near"], recomputed.drop(columns="is_near")
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
            _compare_column(ours[name], theirs[name], _ambiguous(theirs[name], recomputed, is_near.loc[tutors]))
            for name in computed
            if name in found
        ),
        notes=notes,
    )


def compare_concerns(recomputed: pd.DataFrame, published: pd.DataFrame, basis: Basis) -> VerifyReport:
    """Compare the output of `recompute` with all columns of `marts.tutor_concerns`, as `compare` does.

    Where a probability is near a level, what follows from it is as right as ours.
    """
    is_near, recomputed = recomputed["is_near"], recomputed.drop(columns="is_near")
    keys = recomputed.index.intersection(published.index)
    ours, theirs = recomputed.loc[keys], published.loc[keys]
    computed, found = [str(name) for name in recomputed], [str(name) for name in published]
    nowhere = pd.Series(False, index=keys)
    return VerifyReport(
        basis=basis,
        tutors=len(keys),
        missing_tutors=tuple(recomputed.index.difference(published.index)),
        extra_tutors=tuple(published.index.difference(recomputed.index)),
        missing_columns=tuple(name for name in computed if name not in found),
        unknown_columns=tuple(name for name in found if name not in computed),
        columns=tuple(
            _compare_column(
                ours[name],
                theirs[name],
                is_near.loc[keys] if name in FOLLOW_FROM_LEVELS else nowhere,
                CONCERN_TOLERANCES.get(name, EXACT),
            )
            for name in computed
            if name in found
        ),
        mart="tutor_concerns",
    )


def _compare_column(
    ours: Column, theirs: Column, is_acceptable: Column, tolerance: Tolerance | None = None
) -> ColumnReport:
    name = str(ours.name)
    tolerance = tolerance or TOLERANCES.get(name, EXACT)
    is_null, is_null_there = ours.isna().to_numpy(dtype=bool), _is_none(theirs).to_numpy(dtype=bool)
    is_same = is_null & is_null_there
    both = ~is_null & ~is_null_there
    largest = None
    if name in TEXTS:
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
    if isinstance(value, list):
        return ", ".join(value)
    # JSON has no spelling for NaN and infinity.
    return float(value) if np.isfinite(float(value)) else str(value)


def _ambiguous(theirs: Column, recomputed: pd.DataFrame, is_near: Column) -> Column:
    """Where a value of the mart is as right as ours, because of what a probability or the score may be off by."""
    if theirs.name in SCORES_FROM_LEVELS:
        return is_near & ~_is_none(theirs)
    if theirs.name == "peer_percentile":
        # A tie that rounding breaks in one computation moves the rank in the other.
        return _ambiguous_percentile(recomputed, theirs)
    return pd.Series(False, index=theirs.index)


def _ambiguous_percentile(recomputed: pd.DataFrame, theirs: Column) -> Column:
    """Between the percentiles with all near ties below and all of them above, scores equal up to rounding."""
    peers = ranked_peers(recomputed["quality_score"], recomputed["risk_status"])
    scores = peers.to_numpy(dtype=np.float64)
    ordered = np.sort(scores)
    slack = QUALITY.limit * np.ones(len(scores))
    others = max(1, len(peers) - 1)
    lowest = pd.Series(np.searchsorted(ordered, scores - slack, side="left") / others, index=peers.index)
    highest = pd.Series((np.searchsorted(ordered, scores + slack, side="right") - 1) / others, index=peers.index)
    found = theirs.astype("float64")
    lower, upper = lowest.reindex(found.index), highest.reindex(found.index)
    return (found >= lower - RATE.limit) & (found <= upper + RATE.limit)
