"""Which columns of `marts.tutor_scores` are recomputed, and how far each may be from the recomputation."""

from dataclasses import dataclass

from verify.recompute.counts import COUNT_COLUMNS, WINDOWS


@dataclass(frozen=True)
class Tolerance:
    """Largest accepted |difference|; a relative one is multiplied by max(1, |value|)."""

    limit: float
    is_relative: bool = False


PROBABILITY_TOLERANCE = 1e-3
EXACT = Tolerance(0)
RATE = Tolerance(1e-12)
EXPECTED = Tolerance(1e-9)
COMPONENT = Tolerance(1e-9, is_relative=True)
QUANTILE = Tolerance(5e-3)

TOLERANCES: dict[str, Tolerance] = {
    "as_of": EXACT,
    **dict.fromkeys(COUNT_COLUMNS, EXACT),
    **{f"reschedule_rate_{days}d": RATE for days in WINDOWS},
    "trend_30d": RATE,
    "reschedule_rate_expected": EXPECTED,
    "reschedule_rate_low": QUANTILE,
    "reschedule_rate_high": QUANTILE,
    "risk_probability": Tolerance(PROBABILITY_TOLERANCE),
    "risk_status": EXACT,
    "is_high_risk": EXACT,
    "sessions_to_clear": Tolerance(1),
    "tutor_no_show_rate_expected": EXPECTED,
    "first_session_rate_expected": EXPECTED,
    "rating_mean_90d": EXPECTED,
    "rating_expected": EXPECTED,
    "reliability_component": COMPONENT,
    "attendance_component": COMPONENT,
    "first_session_component": COMPONENT,
    "rating_component": COMPONENT,
    "quality_score": COMPONENT,
    "peer_percentile": RATE,
    "last_session_at": EXACT,
}
