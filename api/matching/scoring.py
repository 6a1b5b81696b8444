"""Predictions made in this process, by the champion or the rules. In threads: the models are not quick to load."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from api.matching.schemas import MatchStudent, MatchTutor, Prediction, PredictionModel
from ml import explain
from ml.features import MATCH, Matrix, Preferences, compatibility, mismatches, risk_level, style_codes
from ml.model import Model
from ml.rules import rules_for


@dataclass(frozen=True)
class Scored:
    """A pair's prediction, what moved it, and what made it."""

    prediction: Prediction
    contributions: Sequence[explain.Contribution]
    model: PredictionModel

    def is_by(self, model_version: str) -> bool:
        """Whether the model of this version made it."""
        return self.model.version == model_version


class Scorer:
    """Scores pairs on the spot.

    Args:
        low, high: probabilities from which the risk is medium, and high.
    """

    def __init__(self, *, low: float, high: float) -> None:
        self._low = low
        self._high = high

    async def pair(self, student: MatchStudent, tutor: MatchTutor) -> Scored:
        """The prediction for one pair, as of now."""
        return await asyncio.to_thread(self._pair, student, tutor)

    def _pair(self, student: MatchStudent, tutor: MatchTutor) -> Scored:
        model = rules_for(MATCH)
        apart = mismatches(
            _preferences(
                student.preferred_pace, student.preferred_teaching_style, student.communication_style, student.age
            ),
            _preferences(tutor.preferred_pace, tutor.teaching_style, tutor.communication_style, tutor.age),
        )
        known = {name: None if np.isnan(values[0]) else float(values[0]) for name, values in apart.items()}
        row = _row(model, student, tutor, known)
        probability = float(model.predict(row)[0])
        return Scored(
            Prediction(
                student_id=student.student_id,
                tutor_id=tutor.tutor_id,
                churn_probability=probability,
                risk_level=risk_level(probability, self._low, self._high),
                compatibility_score=float(compatibility(apart)[0]),
                **known,
                model_version=model.version,
                predicted_at=datetime.now(UTC),
            ),
            explain.contributions(model, row),
            PredictionModel(version=model.version, kind=model.source, trained_at=None),
        )


def _preferences(pace: int | None, style: str | None, communication: int | None, age: int | None) -> Preferences:
    return Preferences(_array(pace), style_codes([style]), _array(communication), _array(age))


def _array(value: float | None) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([np.nan if value is None else value], dtype=np.float64)


def _row(model: Model, student: MatchStudent, tutor: MatchTutor, apart: dict[str, float | None]) -> Matrix:
    """(1, features) of one pair."""
    values: dict[str, float | None] = {
        **model.fill,
        **apart,
        "student_age": student.age,
        "student_urgency": student.urgency_level,
        "student_first_meetings": student.student_first_meetings,
        "student_continuation_rate": student.student_continuation_rate,
        "tutor_experience_years": tutor.experience_years,
        "tutor_sessions_90d": tutor.tutor_sessions_90d,
        "tutor_reschedule_rate": tutor.tutor_reschedule_rate,
        "tutor_no_show_rate": tutor.tutor_no_show_rate,
        "tutor_continuation_rate": tutor.tutor_continuation_rate,
        "tutor_rating": tutor.tutor_rating,
    }
    return np.array([[values.get(name) for name in model.features]], dtype=np.float32)
