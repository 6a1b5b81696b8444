"""The scores once more, by pure functions of rows and settings: counts (of sessions), then scores (of tutors).

The definitions are those of docs/scoring.md, in pandas and with SciPy's exact beta distribution. Dates are midnights
without a time zone (datetime64) in the reporting zone, rates are fractions, and a missing number is NaN.
"""

import pandas as pd

from verify.inputs import Basis, RawFrames
from verify.recompute.counts import session_facts
from verify.recompute.scores import score_tutors


def recompute(frames: RawFrames, basis: Basis) -> pd.DataFrame:
    """The columns of `marts.tutor_scores` that follow from the rows: one row per tutor, index tutor_id (text)."""
    return score_tutors(frames.tutors["tutor_id"], session_facts(frames, basis), basis)
