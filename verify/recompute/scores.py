"""From counts per tutor to scores, with SciPy's exact beta distribution."""

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from verify.inputs import Basis, BetaPrior
from verify.recompute.counts import (
    COUNTS,
    OTHER_COUNTS,
    episodes,
    first_meetings,
    in_windows,
    last_sessions,
    ratings,
    window_counts,
)

Column: TypeAlias = "pd.Series[Any]"
Floats: TypeAlias = npt.NDArray[np.float64]

CORRELATION_BOUNDS = (0.005, 0.5)
COMPONENTS = ("reliability", "attendance", "first_session", "rating")


def beta_prior(successes: npt.ArrayLike, trials: npt.ArrayLike, fallback: BetaPrior) -> BetaPrior:
    """Empirical-Bayes prior of a rate that varies between units, from the successes and trials of each.

    The moment estimator of the beta-binomial model: the intraclass correlation from the weighted between-unit sum of
    squares (Kleinman, JASA 68, 1973), clamped to [0.005, 0.5]. Units without trials say nothing. `fallback` where the
    spread cannot be estimated: fewer than two units, all or no successes, or one trial per unit.
    """
    n = np.asarray(trials, dtype=np.float64)
    k = np.asarray(successes, dtype=np.float64)[n > 0]
    n = n[n > 0]
    units = n.size
    if units < 2:
        return fallback
    total = n.sum()
    mean = k.sum() / total
    if not 0 < mean < 1:
        return fallback
    within = mean * (1 - mean)
    denominator = within * (total - (n**2).sum() / total - (units - 1))
    if denominator <= 0:
        return fallback
    between = (n * (k / n - mean) ** 2).sum()
    correlation = np.clip((between - within * (units - 1)) / denominator, *CORRELATION_BOUNDS)
    weight = 1 / correlation - 1
    return BetaPrior(float(mean * weight), float((1 - mean) * weight))


def posterior(successes: Column, trials: Column, prior: BetaPrior, threshold: float) -> pd.DataFrame:
    """Posterior of each unit's rate: alpha, beta, expected, low (5%), high (95%), risk = P(rate > threshold).

    Index as given; a unit without trials has NaN throughout.
    """
    is_known = trials > 0
    alpha = (successes + prior.alpha).where(is_known)
    beta = (trials - successes + prior.beta).where(is_known)
    return pd.DataFrame(
        {
            "alpha": alpha,
            "beta": beta,
            "expected": alpha / (alpha + beta),
            "low": special.betaincinv(alpha, beta, 0.05),
            "high": special.betaincinv(alpha, beta, 0.95),
            "risk": special.betaincc(alpha, beta, threshold),
        },
        index=trials.index,
    )


def risk_status(sessions: Column, probability: Column, basis: Basis) -> Column:
    """`insufficient_data`, `ok`, `watch` or `high_risk` of tutors with so many sessions in 90 days."""
    status = np.select(
        [
            sessions < basis.min_sessions,
            probability >= basis.high_risk_probability,
            probability >= basis.watch_probability,
        ],
        ["insufficient_data", "high_risk", "watch"],
        default="ok",
    )
    return pd.Series(status, index=sessions.index, dtype="str")


def sessions_to_clear(alpha: Floats, beta: Floats, basis: Basis) -> Floats:
    """Smallest k >= 1 with P(rate > threshold) < watch_probability under Beta(alpha, beta + k).

    NaN above `most_sessions_to_clear`.
    """
    short = np.zeros(alpha.shape)
    enough = np.full(alpha.shape, basis.most_sessions_to_clear + 1.0)
    # The probability falls with k, so halving the bracket keeps `short` too small and `enough` sufficient.
    while (enough - short > 1).any():
        middle = (short + enough) // 2
        is_flagged = special.betaincc(alpha, beta + middle, basis.risk_threshold) >= basis.watch_probability
        short = np.where(is_flagged, middle, short)
        enough = np.where(is_flagged, enough, middle)
    return np.where(enough > basis.most_sessions_to_clear, np.nan, enough)


def quality(
    let_down_rate: Column, no_show_rate: Column, first_session_rate: Column, rating_expected: Column, basis: Basis
) -> pd.DataFrame:
    """Components (0-1) and `quality_score` (0-100) from shrunk rates (fractions) and the shrunk rating (1-5).

    A missing input drops out and the other weights are scaled up; without any input the score is NaN.
    """
    components = pd.DataFrame(
        {
            "reliability_component": 1 - (let_down_rate / basis.reliability_worst_rate).clip(upper=1),
            "attendance_component": 1 - (no_show_rate / basis.attendance_worst_rate).clip(upper=1),
            "first_session_component": first_session_rate,
            "rating_component": (rating_expected - 1) / 4,
        }
    )
    weights = pd.Series({f"{part}_component": getattr(basis, f"{part}_weight") for part in COMPONENTS})
    weight = components.notna().mul(weights).sum(axis=1)
    score = 100 * components.mul(weights).sum(axis=1) / weight.where(weight > 0)
    return components.assign(quality_score=score)


def peer_percentile(quality_score: Column, status: Column) -> Column:
    """Share (0-1) of the other scored tutors with a lower score; NaN for tutors without score or enough data."""
    peers = ranked_peers(quality_score, status)
    ranks = peers.rank(method="min") - 1
    return (ranks / max(1, len(peers) - 1)).reindex(quality_score.index)


def ranked_peers(quality_score: Column, status: Column) -> Column:
    return quality_score[quality_score.notna() & (status != "insufficient_data")]


def score_tutors(tutor_ids: Iterable[str], facts: pd.DataFrame, basis: Basis) -> pd.DataFrame:
    """The columns of `marts.tutor_scores` that follow from the rows: one row per tutor, index tutor_id (text).

    facts: as `session_facts` gives them.
    """
    as_of = basis.as_of
    scores = pd.DataFrame(index=pd.Index(sorted(tutor_ids), name="tutor_id", dtype="str")).join(
        [
            window_counts(facts, as_of),
            episodes(facts, as_of),
            first_meetings(facts, basis),
            ratings(facts, basis),
            last_sessions(facts, as_of),
        ]
    )
    counts = [*in_windows(*COUNTS), *OTHER_COUNTS]
    scores[counts] = scores[counts].fillna(0).astype("int64")
    scores["as_of"] = pd.Series(as_of, index=scores.index, dtype="object")

    sessions = scores["sessions_90d"]
    prior = beta_prior(scores["let_downs_90d"], sessions, basis.let_down_fallback_prior)
    let_down = posterior(scores["let_downs_90d"], sessions, prior, basis.risk_threshold)
    scores["let_down_rate_expected"] = let_down["expected"]
    scores["let_down_rate_low"] = let_down["low"]
    scores["let_down_rate_high"] = let_down["high"]
    scores["risk_probability"] = let_down["risk"]
    scores["risk_status"] = risk_status(sessions, let_down["risk"], basis)
    scores["is_high_risk"] = scores["risk_status"] == "high_risk"
    flagged = let_down[scores["risk_status"].isin(["watch", "high_risk"])]
    to_clear = sessions_to_clear(
        flagged["alpha"].to_numpy(dtype=np.float64), flagged["beta"].to_numpy(dtype=np.float64), basis
    )
    scores["sessions_to_clear"] = pd.Series(to_clear, index=flagged.index).astype("Int64").reindex(scores.index)

    scores["tutor_no_show_rate_expected"] = _expected(
        scores["tutor_no_shows_90d"], sessions, basis.no_show_fallback_prior
    )
    scores["first_session_rate_expected"] = _expected(
        scores["first_meetings_continued"], scores["first_meetings"], basis.first_session_fallback_prior
    )
    scores = scores.join(
        quality(
            scores["let_down_rate_expected"],
            scores["tutor_no_show_rate_expected"],
            scores["first_session_rate_expected"],
            scores["rating_expected"],
            basis,
        )
    )
    scores["peer_percentile"] = peer_percentile(scores["quality_score"], scores["risk_status"])
    return scores


def _expected(successes: Column, trials: Column, fallback: BetaPrior) -> Column:
    prior = beta_prior(successes, trials, fallback)
    return (successes + prior.alpha) / (trials + prior.alpha + prior.beta).where(trials > 0)
