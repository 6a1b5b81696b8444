"""The rate now: a filter over 22 rates for a rate that may jump on any day (Yao, Annals of Statistics 12, 1984).

Arrays have the tutors on axis 0, days on the last axis, the newest last. Rates and probabilities are fractions (0-1).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from verify.recompute.evidence import BetaMixture, Floats
from verify.recompute.rules import RULES, Rules

RATES_BELOW_LIMIT = 10
LIMIT_OF_RATES = 0.15
AFTER_A_JUMP = (1.0, 5.0)
WEEK_DAYS, MONTH_DAYS = 7, 28
DESIGN_EFFECT_BOUNDS = (1.0, 2.0)


class Grid(NamedTuple):
    """22 rates, and the 23 edges of their cells; the edge above the tenth rate is the limit."""

    rates: Floats
    edges: Floats

    def masses(self, distribution: BetaMixture) -> Floats:
        """Probability of each cell under one distribution of the rate."""
        parts = (distribution.shares, distribution.alpha, distribution.beta)
        columns = BetaMixture(*(part[:, np.newaxis] for part in parts))
        return np.diff(columns.cdf(self.edges))


def grid(limit: float, rates_of_limit: tuple[float, ...] = RULES.filter_rates) -> Grid:
    """The rates of a limit of 0.15; for another, their odds times odds(limit)/odds(0.15). Edges are midpoints."""
    rates = special.expit(special.logit(rates_of_limit) + special.logit(limit) - special.logit(LIMIT_OF_RATES))
    edges = np.concatenate([[0.0], (rates[1:] + rates[:-1]) / 2, [1.0]])
    edges[RATES_BELOW_LIMIT] = limit
    return Grid(rates, edges)


class FilterRun(NamedTuple):
    """What a filter made of daily counts."""

    probability: Floats
    """(tutors, days): P(rate now > limit) after each day; NaN before the first session."""
    weights: Floats
    """(tutors, 22): probability of each rate after the last day."""
    idle_days: npt.NDArray[np.int64]
    """(tutors,): days from the last session to the last day; -1 without any session."""


@dataclass(frozen=True)
class ChangeFilter:
    """P(rate now > limit) of a rate that jumps once in 180 days on average.

    `start` is the probability of each rate at a tutor's first session (the prior's mass per cell); a jump goes to
    ½·start + ½·Beta(1, 5). `design_effect` φ >= 1 divides counts, since sessions of a week resemble each other.

    Another event today never lowers the probability. One more in the past may: it makes a jump since then less likely.
    """

    grid: Grid
    start: Floats
    design_effect: float = 1.0
    days_between_jumps: float = RULES.filter_days_between_jumps

    @classmethod
    def of_prior(
        cls, prior: BetaMixture, limit: float, design_effect: float = 1.0, rules: Rules = RULES
    ) -> "ChangeFilter":
        """The filter for a limit (0-1), started from a prior of one day: parameters of shape (parts,)."""
        cells = grid(limit, rules.filter_rates)
        return cls(cells, cells.masses(prior), design_effect, rules.filter_days_between_jumps)

    @property
    def after_a_jump(self) -> Floats:
        alpha, beta = (np.array([parameter]) for parameter in AFTER_A_JUMP)
        return 0.5 * self.start + 0.5 * self.grid.masses(BetaMixture(np.ones(1), alpha, beta))

    def step(self, weights: Floats, trials: Floats, events: Floats, days_since: npt.NDArray[np.int64]) -> Floats:
        """The weights (tutors, 22) after a day with `trials` and `events` (tutors,), `days_since` the step before.

        w_j ← ((1-h)w_j + h·after_a_jump_j) · g_j^(k/φ) · (1-g_j)^((n-k)/φ), normalised, h = 1 - (1 - 1/180)^days_since;
        no days since the step before (the first one) mean no jump.
        """
        jump = -np.expm1(days_since * np.log1p(-1 / self.days_between_jumps))[:, np.newaxis]
        mixed = (1 - jump) * weights + jump * self.after_a_jump
        logarithms = np.multiply.outer(events, np.log(self.grid.rates))
        logarithms = logarithms + np.multiply.outer(trials - events, np.log1p(-self.grid.rates))
        logarithms = logarithms / self.design_effect
        product = mixed * np.exp(logarithms - logarithms.max(axis=1, keepdims=True))
        return np.asarray(product / product.sum(axis=1, keepdims=True))

    def exceeds(self, weights: Floats) -> Floats:
        """P(rate now > limit) of weights (tutors, 22)."""
        return np.asarray(weights[:, RATES_BELOW_LIMIT:].sum(axis=1))

    def run(self, trials: npt.ArrayLike, events: npt.ArrayLike) -> FilterRun:
        """Steps through daily counts (tutors, days) from each tutor's first session on; days without are skipped."""
        n, k = (np.asarray(counts, dtype=np.float64) for counts in (trials, events))
        tutors, days = n.shape
        weights = np.tile(self.start, (tutors, 1))
        idle = np.full(tutors, -1)
        probability = np.full((tutors, days), np.nan)
        for day in range(days):
            idle += idle >= 0
            busy = n[:, day] > 0
            since = np.maximum(idle[busy], 0)
            weights[busy] = self.step(weights[busy], n[busy, day], k[busy, day], since)
            idle[busy] = 0
            probability[:, day] = np.where(idle >= 0, self.exceeds(weights), np.nan)
        return FilterRun(probability, weights, idle)

    def projected(self, weights: Floats, idle_days: npt.NDArray[np.int64], pace: Floats, days: int) -> Floats:
        """(tutors, days): P(rate now > limit) on coming days with `pace` sessions a day (tutors,) and no event.

        A pace of 0 leaves the state as it is. The first step also makes up for the idle days before it.
        """
        probability = np.repeat(self.exceeds(weights)[:, np.newaxis], days, axis=1)
        goes_on = pace > 0
        state, since = weights[goes_on], np.maximum(idle_days[goes_on], 0) + 1
        for day in range(days):
            state = self.step(state, pace[goes_on], np.zeros(len(state)), since)
            since = np.ones_like(since)
            probability[goes_on, day] = self.exceeds(state)
        return probability


def design_effect(trials: npt.ArrayLike, events: npt.ArrayLike) -> float:
    """How much more a tutor's weeks vary within a month than single sessions would; 1 to 2.

    φ = Σ(k_w - n_w p_m)² / Σ n_w p_m(1-p_m)(1 - n_w/n_m) over weeks w of months m, p_m and n_m a tutor's rate and
    sessions of the month. Weeks have 7 and months 28 days, counted back from the last day of the daily counts (tutors,
    days), so that no week is in two months; an incomplete first month is left out. 1 where nothing varies.
    """
    n, k = (np.asarray(counts, dtype=np.float64) for counts in (trials, events))
    months = n.shape[-1] // MONTH_DAYS
    if not months:
        return DESIGN_EFFECT_BOUNDS[0]
    shape = (n.shape[0], months, MONTH_DAYS // WEEK_DAYS, WEEK_DAYS)
    n_w, k_w = (counts[:, -months * MONTH_DAYS :].reshape(shape).sum(axis=-1) for counts in (n, k))
    n_m, k_m = (weekly.sum(axis=-1, keepdims=True) for weekly in (n_w, k_w))
    some = np.maximum(n_m, 1)
    p_m = k_m / some
    expected = (n_w * p_m * (1 - p_m) * (1 - n_w / some)).sum()
    if expected <= 0:
        return DESIGN_EFFECT_BOUNDS[0]
    return float(np.clip(((k_w - n_w * p_m) ** 2).sum() / expected, *DESIGN_EFFECT_BOUNDS))
