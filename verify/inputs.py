"""What scores depend on: the rows of `raw` and `app`, and the settings that the marts were published with."""

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import pandas as pd


class BetaPrior(NamedTuple):
    """Parameters of a beta distribution."""

    alpha: float
    beta: float


@dataclass(frozen=True)
class Basis:
    """The settings of a publication; each field is the column of `marts.publication` of that name.

    Probabilities, rates and weights are fractions. A prior counts sessions (or first meetings) with and without the
    event; a fallback prior holds where the data cannot give one.
    """

    as_of: date
    timezone: str
    risk_threshold: float
    high_risk_probability: float
    watch_probability: float
    min_sessions: int
    reliability_counts: list[str]
    let_down_fallback_prior: BetaPrior
    no_show_fallback_prior: BetaPrior
    first_session_fallback_prior: BetaPrior
    rating_prior_sessions: float
    reliability_weight: float
    attendance_weight: float
    first_session_weight: float
    rating_weight: float
    reliability_worst_rate: float
    attendance_worst_rate: float
    first_session_follow_up_days: int
    first_session_window_days: int
    short_notice_hours: float
    late_start_minutes: float
    most_sessions_to_clear: int


@dataclass(frozen=True)
class RawFrames:
    """The columns of `raw` and `app` that scores depend on; ids are text, times are UTC instants.

    tutors: tutor_id. sessions: session_id, tutor_id, student_id, scheduled_time, status, rating, initiator,
    reason_code, technical_issue (0 or 1), started_at, cancelled_at.
    reschedules, one row per move: session_id, reschedule_initiator, reason_code, requested_at, original_time, new_time.
    excuses: session_id. A missing number is NaN.
    """

    tutors: pd.DataFrame
    sessions: pd.DataFrame
    reschedules: pd.DataFrame
    excuses: pd.DataFrame
