"""Did talking help? Two honest answers from counts of cases; before against after is none.

A tutor who was flagged after a bad month has a better one next by chance alone, so a talk that does nothing seems to
help by a fifth to a third (docs/cases.md). What is compared here has that chance on both sides.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CASES_NEEDED = 10
"""Of each arm, or with a talk. With fewer, intervals were too narrow in simulation."""
CONFIDENCE = 0.95
EXPECTATION_ERROR = 0.1
"""Relative standard deviation of what is expected of many tutors at once: priors assume that tutors stay as they are.
In simulated worlds where they drift, fall ill or have seasons, expectations were wrong by 2% to 12% on average."""

Counts = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ratio:
    """Let-downs per session of one arm over those of the other, with its 95% interval."""

    ratio: float
    low: float
    high: float


@dataclass(frozen=True)
class Expected:
    """Let-downs that were to be expected if every tutor went on as before, with their 95% predictive interval."""

    let_downs: float
    low: float
    high: float


@dataclass(frozen=True)
class Arm:
    """Sessions and let-downs of its cases, each (cases,)."""

    sessions: Counts
    let_downs: Counts

    @property
    def rate(self) -> float:
        return float(self.let_downs.sum() / self.sessions.sum())

    @property
    def log_variance(self) -> float:
        """Variance of log(rate): linearised, over cases, whose sessions are alike in ways that no model need know.

        Σ((kᵢ - r·nᵢ)/(1 - nᵢ/N))²/K² (MacKinnon & White's HC3, Journal of Econometrics 29, 1985, for a ratio of sums):
        nearly the jackknife, and so wide enough for few cases of which some have most sessions.
        """
        weight = self.sessions / self.sessions.sum()
        residuals = (self.let_downs - self.rate * self.sessions) / (1 - weight)
        return float((residuals**2).sum() / self.let_downs.sum() ** 2)


def rate_ratio(now: Arm, later: Arm) -> Ratio | None:
    """The effect of an early talk, by the arms that were drawn, whoever was talked to in the end (intention to treat).

    The interval is Student's with Welch's degrees of freedom on the log scale. None with fewer than CASES_NEEDED cases
    with sessions in an arm, or without a let-down in one.
    """
    # It takes long to import, and the API starts without it.
    from scipy import special

    arms = [Arm(arm.sessions[arm.sessions > 0], arm.let_downs[arm.sessions > 0]) for arm in (now, later)]
    if min(len(arm.sessions) for arm in arms) < CASES_NEEDED or min(arm.let_downs.sum() for arm in arms) == 0:
        return None
    variances = [arm.log_variance for arm in arms]
    variance = sum(variances)
    if variance == 0:
        return None
    freedom = variance**2 / sum(v**2 / (len(arm.sessions) - 1) for v, arm in zip(variances, arms, strict=True))
    log_ratio = np.log(arms[0].rate / arms[1].rate)
    reach = special.stdtrit(freedom, (1 + CONFIDENCE) / 2) * np.sqrt(variance)
    return Ratio(*(float(np.exp(log_ratio + by)) for by in (0, -reach, reach)))


def expected_let_downs(expected: Counts, variance: Counts) -> Expected | None:
    """What was to be expected of all cases together, from mean and variance of each (cases,).

    The variances are those of beta-binomial distributions (`marts.case_effects`); what all expectations have in common
    is wrong by EXPECTATION_ERROR. The sum has the quantiles of the gamma distribution with its mean and variance. None
    with fewer than CASES_NEEDED cases with sessions.
    """
    from scipy import special

    mean = float(expected.sum())
    if np.count_nonzero(expected) < CASES_NEEDED:
        return None
    spread = float(variance.sum()) + (EXPECTATION_ERROR * mean) ** 2
    tail = (1 - CONFIDENCE) / 2
    # Half a let-down more at each end, since only whole ones are counted.
    low, high = special.gammaincinv(mean**2 / spread, [tail, 1 - tail]) * spread / mean
    return Expected(mean, max(0.0, float(low) - 0.5), float(high) + 0.5)
