"""Rows of `raw` made by hand, and what is recomputed from them."""

from dataclasses import asdict
from datetime import date
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd

from verify.inputs import Basis, KeptDays, RawFrames
from verify.recompute import recompute
from verify.recompute.rules import RULES

AS_OF = date(2026, 6, 30)
SHIPPED = {
    "shipped_filter_prior": [1, 9, 1, 17 / 3],
    "shipped_design_effect": 1,
    "shipped_quality_means": [-2.04, -4.96, -1.16, 4.25],
    "shipped_quality_covariance": [
        *(0.2112, 0.1480, 0.0199, -0.0106),
        *(0.1480, 0.2802, 0.0169, -0.0103),
        *(0.0199, 0.0169, 0.1932, -0.0521),
        *(-0.0106, -0.0103, -0.0521, 0.0288),
    ],
}
BASIS = Basis(
    as_of=AS_OF,
    timezone="UTC",
    risk_threshold=0.15,
    high_risk_probability=0.8,
    watch_probability=0.5,
    min_sessions=5,
    reliability_counts=["reschedules", "cancellations", "no_shows"],
    reliability_weight=0.40,
    attendance_weight=0.25,
    first_session_weight=0.20,
    rating_weight=0.15,
    first_session_follow_up_days=30,
    first_session_window_days=365,
    short_notice_hours=24,
    late_start_minutes=5,
    concern_rules={**asdict(RULES), **SHIPPED},
)
# Nothing is kept yet.
KEPT = KeptDays(
    priors=pd.DataFrame(columns=["concern_day", "concern"]),
    stretches=pd.DataFrame(columns=["tutor_id", "concern", "raised_on"]),
    filter_prior=tuple(SHIPPED["shipped_filter_prior"]),
    design_effect=SHIPPED["shipped_design_effect"],
    means=np.array(SHIPPED["shipped_quality_means"]),
    covariance=np.reshape(SHIPPED["shipped_quality_covariance"], (4, 4)),
)
ANN, BOB, CYD = (f"00000000-0000-0000-0000-00000000000{digit}" for digit in "abc")


def at(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz="UTC")


def days_ago(days: int, hour: int = 12) -> pd.Timestamp:
    return pd.Timestamp(AS_OF, tz="UTC") - pd.Timedelta(days=days) + pd.Timedelta(hours=hour)


def session(session_id: str, scheduled_time: pd.Timestamp, status: str = "completed", **other: Any) -> dict[str, Any]:
    row = {"tutor_id": ANN, "student_id": "s1", "rating": None, "initiator": None, "reason_code": None}
    row |= {"technical_issue": None, "lesson_id": None, "started_at": None, "cancelled_at": None}
    return {
        "session_id": session_id,
        "subject": None,
        "scheduled_time": scheduled_time,
        "status": status,
        **row,
        **other,
    }


def reschedule(session_id: str, requested_at: pd.Timestamp | None = None, **other: Any) -> dict[str, Any]:
    row = {"reschedule_initiator": "tutor", "reason_code": None, "original_time": None, "new_time": None}
    return {"session_id": session_id, "requested_at": requested_at, **row, **other}


def raw_frames(
    sessions: list[dict[str, Any]] | None = None,
    reschedules: list[dict[str, Any]] | None = None,
    excused: list[str] | None = None,
    tutors: tuple[str, ...] = (ANN,),
) -> RawFrames:
    """Frames typed as `load_raw` types them."""
    session_types = {
        "session_id": "str",
        "tutor_id": "category",
        "student_id": "category",
        "status": "category",
        "scheduled_time": "datetime64[us, UTC]",
        "rating": "float64",
        "initiator": "category",
        "reason_code": "category",
        "technical_issue": "float64",
        "lesson_id": "str",
        "started_at": "datetime64[us, UTC]",
        "cancelled_at": "datetime64[us, UTC]",
    }
    reschedule_types = {
        "session_id": "str",
        "reschedule_initiator": "category",
        "reason_code": "category",
        "requested_at": "datetime64[us, UTC]",
        "new_time": "datetime64[us, UTC]",
        "original_time": "datetime64[us, UTC]",
    }
    return RawFrames(
        tutors=pd.DataFrame({"tutor_id": list(tutors)}, dtype="str"),
        sessions=pd.DataFrame(sessions or [], columns=list(session_types)).astype(session_types),
        reschedules=pd.DataFrame(reschedules or [], columns=list(reschedule_types)).astype(reschedule_types),
        excuses=pd.DataFrame({"session_id": excused or []}, dtype="str"),
    )


def cell(frame: pd.DataFrame, name: str, tutor_id: str = ANN) -> Any:
    return frame.at[tutor_id, name]


def busy_frames() -> RawFrames:
    """Ann moves 6 of 12 sessions, Bob none of 12 and is rated, Cyd has none; their students come back or not."""
    sessions, moved = [], []
    for number in range(12):
        when = days_ago(5 * number + 1)
        ann, bob = f"{number:032x}", f"{number + 100:032x}"
        ann, bob = str(UUID(ann)), str(UUID(bob))
        student = {"student_id": str(UUID(int=1000 + number // 2))}
        if number % 2:
            moved.append(reschedule(ann, when - pd.Timedelta(hours=3 + number), reason_code="sick"))
        sessions.append(session(ann, when, "rescheduled" if number % 2 else "completed", **student))
        sessions.append(session(bob, when, tutor_id=BOB, rating=3.5 + number / 10, **student))
    return raw_frames(sessions, moved, tutors=(CYD, BOB, ANN))


def busy_scores() -> pd.DataFrame:
    return recompute(busy_frames(), BASIS, KEPT).scores
