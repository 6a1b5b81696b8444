"""Made-up labelled rows whose truth is known."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from ml.features import MATCH, SESSION
from ml.rules import rules_for
from ml.training import Candidate, train


def made_up_matches(rows: int, *, seed: int = 0) -> pd.DataFrame:
    """Pairs over 200 days. Mismatches and histories drive churn, with an interaction that no additive model has; a
    tenth of the preferences is unknown."""
    rng = np.random.default_rng(seed)
    pace, communication = rng.integers(0, 5, rows).astype(float), rng.integers(0, 5, rows).astype(float)
    style, age = rng.choice([0, 0.5, 1.0], rows), rng.integers(0, 45, rows).astype(float)
    urgency, student_age = rng.integers(1, 6, rows).astype(float), rng.integers(6, 25, rows).astype(float)
    continuation, rating = rng.beta(14, 6, rows), rng.normal(4.3, 0.25, rows)
    lead = rng.lognormal(4, 0.8, rows)
    odds = -2.4 + 0.5 * pace * (urgency >= 4) + 1.3 * style * (student_age < 14) + 0.2 * communication + 0.01 * age
    odds += -3 * (continuation - 0.7) - 0.8 * (rating - 4.3)
    for column in (pace, style, communication):
        column[rng.random(rows) < 0.1] = np.nan
    unknown = np.full(rows, np.nan)
    return pd.DataFrame(
        {
            "student_id": [f"s{i:06d}" for i in rng.permutation(rows)],
            "tutor_id": [f"t{i % 97:03d}" for i in range(rows)],
            "first_session_at": pd.Timestamp("2025-01-01", tz="UTC")
            + pd.to_timedelta(rng.uniform(0, 200 * 24 * 60, rows).round(), unit="min"),
            "subject": rng.choice(["Maths", "English", "Physics"], rows),
            "pace_mismatch": pace,
            "style_mismatch": style,
            "communication_mismatch": communication,
            "age_mismatch": age,
            "student_age": student_age,
            "student_urgency": urgency,
            "student_first_meetings": rng.poisson(1, rows),
            "student_pending_meetings": rng.poisson(0.3, rows),
            "student_continuation_rate": rng.beta(14, 6, rows),
            "student_sessions_per_pair": rng.gamma(4, 2, rows),
            "student_rating_given": rng.normal(4.3, 0.2, rows),
            "tutor_experience_years": unknown,
            "tutor_sessions_90d": rng.poisson(60, rows),
            "tutor_let_down_rate": rng.beta(6, 34, rows),
            "tutor_reschedule_rate": rng.beta(4, 36, rows),
            "tutor_no_show_rate": rng.beta(2, 98, rows),
            "tutor_continuation_rate": continuation,
            "tutor_rating": rating,
            "tutor_rating_all_time": rng.normal(4.3, 0.2, rows),
            "lead_hours": lead,
            "churned": rng.random(rows) < 1 / (1 + np.exp(-odds)),
        }
    )


def made_up_sessions(rows: int, *, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({name: rng.random(rows) for name in SESSION.names})
    frame["tutor_reschedule_rate"] = rng.beta(2, 18, rows)
    frame["tutor_no_show_rate"] = rng.beta(1, 49, rows)
    frame["is_first_meeting"] = rng.random(rows) < 0.3
    frame["session_id"] = np.arange(rows)
    frame["scheduled_time"] = pd.Timestamp("2025-01-01", tz="UTC") + pd.to_timedelta(np.arange(rows), unit="h")
    frame["is_disrupted"] = rng.random(rows) < frame["tutor_reschedule_rate"] + frame["tutor_no_show_rate"]
    return frame


def train_matches(frame: pd.DataFrame, **more: object) -> Candidate:
    return train(MATCH, frame, **{"seed": 1, "champion": None, "rules": rules_for(MATCH), **more})  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def matches() -> pd.DataFrame:
    return made_up_matches(8000)


@pytest.fixture(scope="session")
def candidate(matches: pd.DataFrame) -> Candidate:
    return train_matches(matches)


@pytest.fixture(scope="session")
def trained() -> Callable[..., Candidate]:
    return train_matches


@pytest.fixture(scope="session")
def make_matches() -> Callable[..., pd.DataFrame]:
    return made_up_matches


@pytest.fixture(scope="session")
def make_sessions() -> Callable[..., pd.DataFrame]:
    return made_up_sessions
