"""What scores depend on: the rows of `raw` and `app`, and the settings that the marts were published with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Basis:
    """The settings of a publication; each field is the column of `marts.publication` of that name.

    Probabilities, rates and weights are fractions.
    """

    as_of: date
    timezone: str
    risk_threshold: float
    high_risk_probability: float
    watch_probability: float
    min_sessions: int
    reliability_counts: list[str]
    reliability_weight: float
    attendance_weight: float
    first_session_weight: float
    rating_weight: float
    first_session_follow_up_days: int
    first_session_window_days: int
    short_notice_hours: float
    late_start_minutes: float
    concern_rules: dict[str, Any]
    """Of concerns, by the names of the vars, what the fields above do not say; JSON values."""


@dataclass(frozen=True)
class KeptDays:
    """What runs have kept in `app`, which no row of `raw` tells.

    priors (`app.concern_priors`): concern_day, concern, and parameters of the closed day. stretches
    (`app.concern_stretches`): tutor_id (text), concern, raised_on, of those not cleared yet. filter_prior: alpha and
    beta of the narrow and the broad part; with design_effect the newest `app.score_reference`, or what is shipped.
    means (4,) and covariance (4, 4): the newest reference with the components of quality_score. priors_of_today: of
    each concern its limit, alpha of the narrow and the broad part, beta of both, and mean, variance between and within
    tutors of ratings, as the marts were made with them; for a sample of tutors, whose evidence does not tell them.
    """

    priors: pd.DataFrame
    stretches: pd.DataFrame
    filter_prior: tuple[float, float, float, float]
    design_effect: float
    means: Floats
    covariance: Floats
    priors_of_today: Mapping[str, Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class RawFrames:
    """The columns of `raw` and `app` that scores depend on; ids are text, times are UTC instants.

    tutors: tutor_id. sessions: session_id, tutor_id, student_id, subject, scheduled_time, status, rating, initiator,
    reason_code, technical_issue (0 or 1), lesson_id, started_at, cancelled_at.
    reschedules, one row per move: session_id, reschedule_initiator, reason_code, requested_at, original_time, new_time.
    excuses: session_id. A missing number is NaN.
    """

    tutors: pd.DataFrame
    sessions: pd.DataFrame
    reschedules: pd.DataFrame
    excuses: pd.DataFrame
