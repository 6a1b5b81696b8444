"""The scores once more, by pure functions of rows and settings: counts (of sessions), concerns and scores (of tutors).

The definitions are those of docs/scoring.md, in pandas and with SciPy's exact beta distribution. Dates are midnights
without a time zone (datetime64) in the reporting zone, rates are fractions, and a missing number is NaN.
"""

from typing import NamedTuple

import pandas as pd

from verify.inputs import Basis, KeptDays, RawFrames
from verify.recompute.counts import session_facts
from verify.recompute.scores import EXPECTED, score_tutors, with_quality
from verify.recompute.tutor_concerns import concerns_of_tutors


class Recomputed(NamedTuple):
    """scores: the columns of `marts.tutor_scores` that follow from the rows, index tutor_id (text); concerns: those of
    `marts.tutor_concerns`, index concern_key. Both with `is_near` (see `concerns_of_tutors`).
    """

    scores: pd.DataFrame
    concerns: pd.DataFrame


def recompute(frames: RawFrames, basis: Basis, kept: KeptDays, published: pd.DataFrame | None = None) -> Recomputed:
    """Scores and concerns of every tutor.

    published: `marts.tutor_scores`, if what follows from expected rates is to follow from those there: log-odds move by
    much more than the tolerance of a rate.
    """
    facts = session_facts(frames, basis)
    concerns = concerns_of_tutors(frames.tutors["tutor_id"], facts, basis, kept)
    scores = score_tutors(frames.tutors["tutor_id"], facts, concerns, basis)
    expected = scores[list(EXPECTED)]
    if published is not None:
        there = published[~published.index.duplicated()].reindex(index=scores.index, columns=list(EXPECTED))
        expected = there.astype("float64")
    return Recomputed(with_quality(scores, expected, basis, kept), concerns)
