"""What was forecast of tutors on Mondays, against what came: once more, from daily counts."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from verify.recompute.evidence import BetaMixture, Floats

HORIZON_DAYS = 30
ENOUGH_TO_JUDGE = 20
VOLUMES = (20, 60, 150)
Ints = npt.NDArray[np.int64]


class Predicted(NamedTuple):
    """Of the let-downs among so many sessions, arrays (forecasts,): mean, 5% and 95% quantile, P(low <= K <= high), and
    P(K / sessions > limit)."""

    expected: Floats
    low: Ints
    high: Ints
    inside: Floats
    above: Floats


def predicted(posterior: BetaMixture, sessions: Ints, limit: npt.ArrayLike) -> Predicted:
    """The beta-binomial distribution of a mixture (parts, forecasts), by its probabilities; sessions are 1 at least."""
    limits = np.broadcast_to(np.asarray(limit, dtype=np.float64), sessions.shape)
    rows = []
    for place, (n, each_limit) in enumerate(zip(sessions, limits, strict=True)):
        counts = np.arange(n + 1)
        masses = np.array(
            [
                stats.betabinom.pmf(counts, n, a, b)
                for a, b in zip(posterior.alpha[:, place], posterior.beta[:, place], strict=True)
            ]
        )
        mass = posterior.shares[:, place] @ masses
        up_to = np.cumsum(mass)
        low, high = int(np.argmax(up_to >= 0.05)), int(np.argmax((up_to >= 0.95) | (counts == n)))
        rows.append((low, high, mass[low : high + 1].sum(), mass[counts / n > each_limit].sum()))
    low, high, inside, above = np.array(rows).T if rows else np.empty((4, 0))
    expected = np.asarray(posterior.mean() * sessions)
    return Predicted(expected, low.astype(np.int64), high.astype(np.int64), inside, above)


def rises(sessions: Floats, let_downs: Floats, limit: float) -> npt.NDArray[np.bool_]:
    """(tutors, days): the rate of 30 days has got above the limit, with 20 sessions at least, after 30 days on which it
    was not above. Counts are (tutors, days)."""
    n = _last_days(sessions, HORIZON_DAYS)
    k = _last_days(let_downs, HORIZON_DAYS)
    is_above = (n >= ENOUGH_TO_JUDGE) & (k > limit * n)
    was_above = _last_days(np.pad(is_above.astype(np.float64), ((0, 0), (1, 0)))[:, :-1], HORIZON_DAYS) > 0
    return np.asarray(is_above & ~was_above)


def _last_days(counts: Floats, days: int) -> Floats:
    """Sums over so many days up to each day."""
    sums = np.cumsum(counts, axis=1)
    return np.asarray(sums - np.pad(sums, ((0, 0), (days, 0)))[:, : sums.shape[1]])


def calibration(outcomes: pd.DataFrame) -> dict[str, Any]:
    """The sums of `marts.score_calibration` over all rows of `intermediate.int_forecast_outcomes`, or of a part."""
    came = outcomes[outcomes["sessions"] > 0]
    judged = came[came["sessions"] >= ENOUGH_TO_JUDGE]
    is_above = judged["let_downs"] / judged["sessions"] > judged["rate_limit"]
    raised = judged["is_raised"].astype(bool)
    flagged = outcomes.dropna(subset=["flagged_on"])
    cell = [
        pd.to_datetime(judged["forecast_on"]).dt.strftime("%Y-%m"),
        judged["subject"].fillna(""),
        np.digitize(judged["sessions_90d"], VOLUMES),
        np.minimum(9, np.floor(judged["above"].astype(float) * 10)),
    ]
    return {
        "forecasts": len(came),
        "let_downs": int(came["let_downs"].sum()),
        "let_downs_expected": float(came["expected"].sum()),
        "covered": int(((came["let_downs"] >= came["low"]) & (came["let_downs"] <= came["high"])).sum()),
        "covered_expected": float(came["inside"].sum()),
        "judged": len(judged),
        "judged_squares": int((judged.groupby([*cell, "tutor_id"]).size() ** 2).sum()),
        "above": int(is_above.sum()),
        "above_expected": float(judged["above"].sum()),
        "raised": int(raised.sum()),
        "raised_above": int((raised & is_above).sum()),
        "rises": int(outcomes["above_limit_on"].notna().sum()),
        "rises_flagged": len(flagged),
        "flagged_after_days": int(
            (pd.to_datetime(flagged["flagged_on"]) - pd.to_datetime(flagged["above_limit_on"])).dt.days.sum()
        ),
    }
