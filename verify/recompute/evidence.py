"""How much recent sessions say about a rate: discounted counts, a prior from all units, and what follows for each.

Arrays have the units (tutors) on axis 0; days, where there are several, on the last axis, the newest last. Parameters
of a distribution have its parts on an axis before these. Rates and probabilities are fractions (0-1).
"""

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import signal, special
from scipy.optimize import elementwise

from verify.recompute.rules import RULES

Floats: TypeAlias = npt.NDArray[np.float64]

CORRELATION_BOUNDS = (0.005, 0.5)
# Where every unit has one trial, the denominator of the correlation is zero but for rounding.
ROUNDING = 1e-9


class Evidence(NamedTuple):
    """Discounted counts of each unit: n = Σ w·trials, k = Σ w·events, v = Σ w²·trials."""

    trials: Floats
    events: Floats
    squares: Floats

    @property
    def rate(self) -> Floats:
        """r = k/n; NaN without trials."""
        return _ratio(self.events, self.trials)

    @property
    def effective_trials(self) -> Floats:
        """e = n²/v, the number of undiscounted trials that would vary as much (Kish); 0 without trials."""
        return np.nan_to_num(_ratio(self.trials**2, self.squares))

    def capped(self, cap: float) -> "Evidence":
        """Trials and events scaled down to at most `cap` trials, since tutors change and bad days cluster."""
        scale = np.minimum(1.0, np.nan_to_num(_ratio(np.full_like(self.trials, cap), self.trials), nan=1.0))
        return Evidence(self.trials * scale, self.events * scale, self.squares * scale**2)


def half_life_weights(half_life_days: float = RULES.evidence_half_life_days, days: int = RULES.evidence_days) -> Floats:
    """Weight 2^(-age/half-life) of ages 0 … days-1; an infinite half-life weighs all alike.

    Raises:
        ValueError: the half-life is not positive.
    """
    if not half_life_days > 0:
        raise ValueError("a half-life is longer than 0 days")
    return np.exp2(-np.arange(days) / half_life_days)


def discounted(counts: npt.ArrayLike, weights: Floats) -> Floats:
    """Σ_age weights[age] · counts[…, day - age] for every day; counts are (units, days) and 0 before the first day."""
    daily = np.asarray(counts, dtype=np.float64)
    return np.asarray(signal.lfilter(weights, [1.0], daily, axis=-1)) if daily.size else daily


def evidence(trials: npt.ArrayLike, events: npt.ArrayLike, weights: Floats) -> Evidence:
    """Evidence of each unit on every day, from daily counts (units, days)."""
    return Evidence(discounted(trials, weights), discounted(events, weights), discounted(trials, weights**2))


class Posterior(NamedTuple):
    """What is believed of each unit: mean, 5% and 95% quantile, and the probability of lying beyond a limit."""

    expected: Floats
    low: Floats
    high: Floats
    probability: Floats


@dataclass(frozen=True)
class BetaMixture:
    """Σ_c shares[c] · Beta(alpha[c], beta[c]); parts on axis 0."""

    shares: Floats
    alpha: Floats
    beta: Floats

    def updated(self, trials: Floats, events: Floats) -> "BetaMixture":
        """The mixture as prior, times x^k (1-x)^(n-k), normalised: one mixture per unit, parts on axis 0.

        The share of Beta(a, b) grows with the probability that it gave the data, B(a+k, b+n-k) / B(a, b). Counts need
        not be whole. `trials` are (units,) or (units, days), the prior's parameters (parts,) or (parts, days).
        """
        alpha, beta = self.alpha[:, np.newaxis], self.beta[:, np.newaxis]
        new_alpha, new_beta = alpha + events, beta + trials - events
        logarithms = np.log(self.shares)[:, np.newaxis]
        logarithms = logarithms + special.betaln(new_alpha, new_beta) - special.betaln(alpha, beta)
        return BetaMixture(special.softmax(logarithms, axis=0), new_alpha, new_beta)

    def mean(self) -> Floats:
        return np.asarray((self.shares * self.alpha / (self.alpha + self.beta)).sum(axis=0))

    def cdf(self, rate: Floats | float) -> Floats:
        """P(X <= rate); `rate` has the shape of one part's parameters, or broadcasts with it."""
        return np.asarray((self.shares * special.betainc(self.alpha, self.beta, rate)).sum(axis=0))

    def exceeds(self, limit: npt.ArrayLike) -> Floats:
        """P(X > limit), without the rounding of 1 - cdf."""
        # The reflected integral takes a tenth of the time of `betaincc`.
        above = special.betainc(self.beta, self.alpha, 1 - np.asarray(limit))
        return np.asarray((self.shares * above).sum(axis=0))

    def quantile(self, probability: float) -> Floats:
        """The rate below which X lies with `probability`; NaN where the parameters are."""

        def excess(rate: Floats, *parameters: Floats) -> Floats:
            shares, alpha, beta = np.array_split(np.stack(parameters), 3)
            return BetaMixture(shares, alpha, beta).cdf(rate) - probability

        parameters = (*self.shares, *self.alpha, *self.beta)
        return np.asarray(elementwise.find_root(excess, (0.0, 1.0), args=parameters).x)

    def summary(self, limit: npt.ArrayLike) -> Posterior:
        """Mean, quantiles and P(X > limit)."""
        return Posterior(self.mean(), self.quantile(0.05), self.quantile(0.95), self.exceeds(limit))


class Moments(NamedTuple):
    """Mean m of a rate, and its correlation within units (icc), NaN where the spread cannot be estimated."""

    mean: Floats
    correlation: Floats


def moments(counts: Evidence) -> Moments:
    """Moment estimates from the units with trials (Kleinman, JASA 68, 1973), on effective trials e and rates r.

    N = Σe, m = Σer/N, S = Σe(r-m)², icc = [S - m(1-m)(J-1)] / [m(1-m)(N - Σe²/N - (J-1))], clamped to [0.005, 0.5].
    J units; m is 0 without any. One value per day, or one.
    """
    e = counts.effective_trials
    r = np.nan_to_num(counts.rate)
    units = np.count_nonzero(e > 0, axis=0)
    total = e.sum(axis=0)
    mean = np.nan_to_num(_ratio((e * r).sum(axis=0), total))
    within = mean * (1 - mean)
    between = (e * (r - mean) ** 2).sum(axis=0)
    spread = total - np.nan_to_num(_ratio((e**2).sum(axis=0), total)) - (units - 1)
    is_known = (units >= 2) & (within > 0) & (spread > ROUNDING * np.maximum(total, 1))
    estimate = _ratio(between - within * (units - 1), np.where(is_known, within * spread, np.nan))
    return Moments(mean, np.clip(estimate, *CORRELATION_BOUNDS))


def mixture_prior(
    counts: Evidence, limit: npt.ArrayLike, fallback: tuple[float, float], broad_share: float = RULES.broad_share
) -> BetaMixture:
    """(1-b) · Beta(mM, (1-m)M) + b · Beta(su, s(1-u)), b the broad share, from the (uncapped) evidence of all units.

    M = max(1/icc - 1, 1/min(m, 1-m)), so that neither parameter is below 1 and no density has a pole. The broad part
    keeps one bad unit among many alike from being shrunk away: u = min(0.5, max(limit, 2m)), s = max(4, 1/u).
    `fallback` is (alpha, beta) of the narrow part where `moments` knows no spread. `limit` is one number, or one
    per day.

    Raises:
        ValueError: a limit is not between 0 and 1.
    """
    limit = np.asarray(limit, dtype=np.float64)
    if not ((limit > 0) & (limit < 1)).all():
        raise ValueError("a limit of a rate lies between 0 and 1")
    mean, correlation = moments(counts)
    is_known = ~np.isnan(correlation)
    m = np.where(is_known, mean, 0.5)
    weight = np.maximum(1 / np.where(is_known, correlation, 0.5) - 1, 1 / np.minimum(m, 1 - m))
    u = np.minimum(0.5, np.maximum(limit, 2 * mean))
    s = np.maximum(4.0, 1 / u)
    narrow = np.where(is_known, m * weight, fallback[0]), np.where(is_known, (1 - m) * weight, fallback[1])
    alpha, beta = np.stack([narrow[0], s * u]), np.stack([narrow[1], s * (1 - u)])
    shares = np.stack([np.full_like(u, 1 - broad_share), np.full_like(u, broad_share)])
    return BetaMixture(shares, alpha, beta)


def _ratio(part: Floats, whole: Floats) -> Floats:
    """part/whole; NaN where the whole is 0."""
    nothing = np.full(np.broadcast(part, whole).shape, np.nan)
    return np.asarray(np.divide(part, whole, out=nothing, where=whole != 0))
