"""The columns of the marts: which are not recomputed, and how far others may be from the recomputation."""

from dataclasses import dataclass

from verify.recompute.counts import RATES, in_windows

# Copied from the tutor; decided by the days recorded before, which no row of `raw` tells; and of the last night.
CARRIED_THROUGH = ("external_id", "name", "subjects", "is_active", "risk_status_since", "case_mix_expected")


@dataclass(frozen=True)
class Tolerance:
    """Largest accepted |difference|; a relative one is multiplied by max(1, |value|)."""

    limit: float
    is_relative: bool = False


PROBABILITY_TOLERANCE = 1e-3
EXACT = Tolerance(0)
RATE = Tolerance(1e-12)
EXACTLY_EXPECTED = Tolerance(1e-9)
EXPECTED = Tolerance(1e-4)
COMPONENT = Tolerance(1e-6)
QUALITY = Tolerance(1e-4)
QUANTILE = Tolerance(5e-3)

# All other columns are exact: counts, days, instants, statuses.
TOLERANCES = {
    **dict.fromkeys(in_windows(*RATES), RATE),
    "trend_30d": RATE,
    "let_down_rate_expected": EXPECTED,
    "let_down_rate_low": QUANTILE,
    "let_down_rate_high": QUANTILE,
    "risk_probability": Tolerance(PROBABILITY_TOLERANCE),
    "tutor_no_show_rate_expected": EXPECTED,
    "first_session_rate_expected": EXPECTED,
    "rating_mean_90d": EXACTLY_EXPECTED,
    "rating_expected": EXPECTED,
    "reliability_component": COMPONENT,
    "attendance_component": COMPONENT,
    "first_session_component": COMPONENT,
    "rating_component": COMPONENT,
    "quality_score": QUALITY,
    "harm_sessions": Tolerance(1e-4, is_relative=True),
    "peer_percentile": RATE,
}

# Of marts.tutor_concerns; others are exact. Near a level one more day may do until a concern clears.
CONCERN_TOLERANCES = {
    "probability": Tolerance(PROBABILITY_TOLERANCE),
    "threshold": EXACTLY_EXPECTED,
    "raw_rate": EXACTLY_EXPECTED,
    "expected": EXPECTED,
    "low": QUANTILE,
    "high": QUANTILE,
    "clears_on": Tolerance(1),
}
