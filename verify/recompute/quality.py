"""`quality_score` (0-100): four components against a stored reference.

Components, in the order of `WEIGHTS`: log-odds of the expected let-down rate, of the expected no-show rate and of the
expected share of lost first meetings, and the expected rating (1-5). Arrays are (tutors, 4); a missing one is NaN.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from verify.recompute.evidence import Floats

WEIGHTS = np.array([0.40, 0.25, 0.20, 0.15])
# More is better for ratings only; the others are rates of what should not happen.
SIGNS = np.array([-1.0, -1.0, -1.0, 1.0])
Z_BOUND = 3.0
MIN_RATED_TUTORS = 20


@dataclass(frozen=True)
class QualityReference:
    """What the components are measured against: their means (4,) and covariance (4, 4)."""

    means: Floats
    covariance: Floats

    @classmethod
    def of(cls, components: npt.ArrayLike, has_enough_sessions: npt.ArrayLike) -> "QualityReference | None":
        """Means and sample covariance over the tutors with all four components and 5 sessions in 90 days.

        None with fewer than 20 of them: the reference that is shipped stays in use.
        """
        rows = np.asarray(components, dtype=np.float64)
        rows = rows[np.asarray(has_enough_sessions, dtype=bool) & ~np.isnan(rows).any(axis=1)]
        return cls(rows.mean(axis=0), np.cov(rows, rowvar=False)) if len(rows) >= MIN_RATED_TUTORS else None

    @property
    def spreads(self) -> Floats:
        """Standard deviation of each component (4,)."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))


def components(
    let_down_rate: npt.ArrayLike, no_show_rate: npt.ArrayLike, lost_rate: npt.ArrayLike, rating: npt.ArrayLike
) -> Floats:
    """(tutors, 4) from expected rates (0-1) and expected ratings (1-5), each (tutors,)."""
    log_odds = [special.logit(np.asarray(rate, dtype=np.float64)) for rate in (let_down_rate, no_show_rate, lost_rate)]
    return np.stack([*log_odds, np.asarray(rating, dtype=np.float64)], axis=1)


def z_scores(rows: Floats, reference: QualityReference) -> Floats:
    """Signed so that more is better, within ±3; NaN where a component is missing or does not vary in the reference."""
    spread = np.where(reference.spreads > 0, reference.spreads, np.nan)
    return np.asarray(np.clip(SIGNS * (rows - reference.means) / spread, -Z_BOUND, Z_BOUND))


def quality_score(rows: Floats, reference: QualityReference, weights: Floats = WEIGHTS) -> Floats:
    """100 · Φ(Σ √w·z / SD), SD of that sum in the reference: √(aᵀRa), a = √w·sign, R the components' correlation.

    With √w the shares of the sum's variance are the weights where components are uncorrelated. A missing component, or
    one that does not vary in the reference, drops out of the sum and of its SD. NaN without any component, or where the
    sum does not vary.
    """
    z = z_scores(rows, reference)
    is_used = ~np.isnan(z)
    signed = np.sqrt(weights) * SIGNS * is_used
    variance = np.einsum("ti,ij,tj->t", signed, _correlation(reference), signed)
    total = (np.sqrt(weights) * np.nan_to_num(z)).sum(axis=1)
    varies = variance > 1e-12
    return np.where(varies, 100 * special.ndtr(total / np.sqrt(np.where(varies, variance, 1.0))), np.nan)


def variance_shares(reference: QualityReference) -> Floats:
    """Share (4,) of each component in the variance of the sum: a_c (Ra)_c / aᵀRa; they add up to 1. NaN if it is 0."""
    signed = np.sqrt(WEIGHTS) * SIGNS
    parts = signed * (_correlation(reference) @ signed)
    return np.asarray(parts / parts.sum()) if parts.sum() > 1e-12 else np.full(len(WEIGHTS), np.nan)


def _correlation(reference: QualityReference) -> Floats:
    """Correlation of the components (4, 4); 0 for one that does not vary."""
    inverse = np.divide(1.0, reference.spreads, out=np.zeros(len(WEIGHTS)), where=reference.spreads > 0)
    return np.asarray(reference.covariance * np.outer(inverse, inverse))
