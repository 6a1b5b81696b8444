"""What ratings say about a tutor's mean: the same discounting as of rates, with normal distributions.

Arrays have the tutors on axis 0; days, where there are several, on the last axis. Ratings are 1-5.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special
from scipy.optimize import elementwise

from verify.recompute.evidence import Floats, Posterior, discounted
from verify.recompute.rules import RULES, Rules


class Ratings(NamedTuple):
    """Discounted ratings of each tutor: n = Σw, Σwx, Σwx², v = Σw², over single ratings x."""

    trials: Floats
    total: Floats
    total_of_squares: Floats
    squares: Floats

    @property
    def mean(self) -> Floats:
        """Σwx/n; NaN without ratings."""
        return np.divide(self.total, self.trials, out=np.full_like(self.total, np.nan), where=self.trials > 0)


def rating_evidence(
    counts: npt.ArrayLike, sums: npt.ArrayLike, sums_of_squares: npt.ArrayLike, weights: Floats
) -> Ratings:
    """Ratings of each tutor on every day, from daily counts, sums and sums of squares (tutors, days)."""
    return Ratings(
        discounted(counts, weights),
        discounted(sums, weights),
        discounted(sums_of_squares, weights),
        discounted(counts, weights**2),
    )


class RatingPrior(NamedTuple):
    """Platform's mean μ, variance τ² of tutors' means, variance σ² of one tutor's ratings; one each, or one per day."""

    mean: Floats
    between: Floats
    within: Floats


def rating_prior(ratings: Ratings, rules: Rules = RULES) -> RatingPrior:
    """Moment estimates over the tutors with ratings, on effective counts e = n²/v.

    σ² = Σ_i Σ w(x - x̄_i)² / Σ_i (n_i - v_i/n_i), pooled within tutors, without bias for any weights; μ = Σe·x̄/Σe;
    τ² = [Σe(x̄ - μ)² - (J-1)σ²] / [Σe - Σe²/Σe], at least 0.05². Fewer than two tutors, or ratings that never differ
    within one: σ² = 0.5 and τ = 0.2. μ is NaN without ratings.
    """
    n, v = ratings.trials, ratings.squares
    is_rated = n > 0
    some_n, some_v = np.where(is_rated, n, 1.0), np.where(is_rated, v, 1.0)
    mean = np.where(is_rated, np.nan_to_num(ratings.mean), 0.0)
    e = np.where(is_rated, some_n**2 / some_v, 0.0)
    units = np.count_nonzero(is_rated, axis=0)
    scatter = np.where(is_rated, np.maximum(ratings.total_of_squares - ratings.total * mean, 0), 0).sum(axis=0)
    freedom = np.where(is_rated, some_n - some_v / some_n, 0).sum(axis=0)
    total = e.sum(axis=0)
    some_total = np.where(total > 0, total, 1.0)
    platform = np.where(total > 0, (e * mean).sum(axis=0) / some_total, np.nan)
    # Rounding leaves a trace of scatter where all ratings of each tutor are equal.
    is_known = (units >= 2) & (scatter > 1e-9 * np.maximum(ratings.total_of_squares.sum(axis=0), 1))
    within = np.where(is_known, scatter / np.where(is_known, freedom, 1.0), rules.rating_fallback_variance)
    between = (e * (mean - np.nan_to_num(platform)) ** 2).sum(axis=0)
    spread = some_total - (e**2).sum(axis=0) / some_total
    estimate = (between - (units - 1) * within) / np.where(is_known, spread, 1.0)
    least, fallback = rules.rating_least_spread**2, rules.rating_fallback_spread**2
    return RatingPrior(platform, np.where(is_known, np.maximum(estimate, least), fallback), within)


@dataclass(frozen=True)
class NormalMixture:
    """Σ_c shares[c] · N(means[c], variances[c]); parts on axis 0, then tutors, then days."""

    shares: Floats
    means: Floats
    variances: Floats

    def mean(self) -> Floats:
        return np.asarray((self.shares * self.means).sum(axis=0))

    def cdf(self, value: Floats | float) -> Floats:
        """P(X <= value)."""
        return np.asarray((self.shares * special.ndtr((value - self.means) / np.sqrt(self.variances))).sum(axis=0))

    def quantile(self, probability: float) -> Floats:
        """The value below which X lies with `probability`; NaN where the parameters are."""

        def excess(value: Floats, *parameters: Floats) -> Floats:
            shares, means, variances = np.array_split(np.stack(parameters), 3)
            return NormalMixture(shares, means, variances).cdf(value) - probability

        # The mixture's quantile lies between those of its parts; a margin makes room for rounding.
        quantiles = self.means + special.ndtri(probability) * np.sqrt(self.variances)
        bracket = quantiles.min(axis=0) - 0.01, quantiles.max(axis=0) + 0.01
        parameters = (*self.shares, *self.means, *self.variances)
        return np.asarray(elementwise.find_root(excess, bracket, args=parameters).x)

    def summary(self, limit: Floats | float) -> Posterior:
        """Mean, quantiles and P(X < limit)."""
        return Posterior(self.mean(), self.quantile(0.05), self.quantile(0.95), self.cdf(limit))


def rating_posterior(ratings: Ratings, prior: RatingPrior, rules: Rules = RULES) -> NormalMixture:
    """Mean rating of each tutor: 0.9 · N(μ, τ²) + 0.1 · N(μ, 0.5), updated by x̄ with variance σ²/min(n, 60).

    Without ratings it is the prior.
    """
    # Precision rather than variance: it is zero without ratings.
    precision = np.minimum(ratings.trials, rules.evidence_cap) / prior.within
    observed = np.where(ratings.trials > 0, np.nan_to_num(ratings.mean), prior.mean)
    spreads = np.stack([prior.between, np.full_like(prior.between, rules.rating_broad_variance)])[:, np.newaxis]
    shares = np.array([1 - rules.broad_share, rules.broad_share]).reshape(2, *[1] * (spreads.ndim - 1))
    variances = 1 / (1 / spreads + precision)
    means = prior.mean + variances * precision * (observed - prior.mean)
    # log N(x̄; μ, τ² + σ²/n), without what all parts share: (τ² + 1/p) = τ²/(variance·p).
    odds = (
        np.log(shares)
        + 0.5 * np.log(variances / spreads)
        - 0.5 * (observed - prior.mean) ** 2 * (precision * variances / spreads)
    )
    return NormalMixture(special.softmax(odds, axis=0), means, variances)
