"""From counts and concerns per tutor to scores."""

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from verify.inputs import Basis, KeptDays
from verify.recompute.concerns import CONCERNS
from verify.recompute.counts import (
    COUNTS,
    OTHER_COUNTS,
    episodes,
    first_meetings,
    in_windows,
    last_sessions,
    planned_sessions,
    ratings,
    window_counts,
)
from verify.recompute.quality import QualityReference, components, quality_score, z_scores

Column: TypeAlias = "pd.Series[Any]"
Floats: TypeAlias = npt.NDArray[np.float64]

# What quality_score is made of, in the order of the reference's components.
EXPECTED = (
    "let_down_rate_expected",
    "tutor_no_show_rate_expected",
    "first_session_rate_expected",
    "rating_expected",
)
COMPONENTS = ("reliability_component", "attendance_component", "first_session_component", "rating_component")
# The status of `unreliable` in the words of the score.
IN_WORDS = {"raised": "high_risk"}


def with_quality(scores: pd.DataFrame, expected: pd.DataFrame, basis: Basis, kept: KeptDays) -> pd.DataFrame:
    """The scores with what follows from the `EXPECTED` of each tutor: components (0-1), quality_score, peer_percentile.

    expected: rates and ratings to start from, index as the scores.
    """
    reference = QualityReference(kept.means, kept.covariance)
    let_down, no_show, continued, rating = (expected[name].to_numpy(dtype=np.float64) for name in EXPECTED)
    rows = components(let_down, no_show, 1 - continued, rating)
    weights = np.array(
        [basis.reliability_weight, basis.attendance_weight, basis.first_session_weight, basis.rating_weight]
    )
    shares = pd.DataFrame(special.ndtr(z_scores(rows, reference)), index=scores.index, columns=list(COMPONENTS))
    scores = scores.join(shares)
    scores["quality_score"] = quality_score(rows, reference, weights)
    scores["peer_percentile"] = peer_percentile(scores["quality_score"], scores["risk_status"])
    return scores


def peer_percentile(quality: Column, status: Column) -> Column:
    """Share (0-1) of the other scored tutors with a lower score; NaN for tutors without score or enough data."""
    peers = ranked_peers(quality, status)
    ranks = peers.rank(method="min") - 1
    return (ranks / max(1, len(peers) - 1)).reindex(quality.index)


def ranked_peers(quality: Column, status: Column) -> Column:
    return quality[quality.notna() & (status != "insufficient_data")]


def score_tutors(tutor_ids: Iterable[str], facts: pd.DataFrame, concerns: pd.DataFrame, basis: Basis) -> pd.DataFrame:
    """The columns of `marts.tutor_scores` but for those of `with_quality`: one row per tutor, index tutor_id (text).

    facts: as `session_facts` gives them. concerns: as `recompute_concerns` gives them.
    """
    as_of = basis.as_of
    scores = pd.DataFrame(index=pd.Index(sorted(tutor_ids), name="tutor_id", dtype="str")).join(
        [
            window_counts(facts, as_of),
            episodes(facts, as_of),
            first_meetings(facts, basis),
            ratings(facts, basis),
            last_sessions(facts, as_of),
            planned_sessions(facts, as_of),
        ]
    )
    counts = [*in_windows(*COUNTS), *OTHER_COUNTS]
    scores[counts] = scores[counts].fillna(0).astype("int64")
    scores["as_of"] = pd.Series(as_of, index=scores.index, dtype="object")

    def found(concern: str, column: str) -> Column:
        return concerns[concerns["concern"] == concern].set_index("tutor_id")[column].reindex(scores.index)

    scores["let_down_rate_expected"] = found("unreliable", "expected")
    scores["let_down_rate_low"] = found("unreliable", "low")
    scores["let_down_rate_high"] = found("unreliable", "high")
    scores["risk_probability"] = found("unreliable", "probability")
    scores["risk_status"] = found("unreliable", "status").replace(IN_WORDS).fillna("insufficient_data").astype("str")
    scores["is_high_risk"] = scores["risk_status"] == "high_risk"
    scores["tutor_no_show_rate_expected"] = found("no_shows", "expected")
    scores["first_session_rate_expected"] = 1 - found("loses_new_students", "expected")
    scores["rating_expected"] = found("low_ratings", "expected")
    raised = concerns[(concerns["status"] == "raised") & ~concerns["superseded"].astype(bool)]
    names = raised.groupby("tutor_id")["concern"].agg(lambda each: sorted(each, key=CONCERNS.index))
    scores["concerns"] = [names.get(tutor, []) for tutor in scores.index]
    scores["attention"] = scores["concerns"].map(bool).astype(bool)
    scores["harm_sessions"] = scores["planned_sessions_7d"] * scores["let_down_rate_expected"]
    is_near = concerns.groupby("tutor_id")["is_near"].any()
    scores["is_near"] = is_near.reindex(scores.index, fill_value=False).astype(bool)
    return scores
