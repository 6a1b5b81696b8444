"""Rules: what answers while there is no model, and the least a model must beat. Nothing in them was learnt."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np

from ml.features import (
    ATTRITION,
    COMPATIBILITY_WEIGHTS,
    MATCH,
    SESSION,
    STUDENT_NO_SHOW,
    Floats,
    Matrix,
    Task,
    compatibility_burden,
)
from ml.model import Model, check_width, log_odds, probability_of

VERSION = "rules-v1"

# A perfect match is lost one time in eight, the worst three times in four; between them log-odds go in a straight line.
BEST_MATCH_LOG_ODDS = -2.0
BURDEN_LOG_ODDS = 3.0

# Means of the priors that histories are shrunk to in SQL; they stand in for people without any.
TYPICAL_RESCHEDULE_RATE = 0.10
TYPICAL_NO_SHOW_RATE = 0.02
TYPICAL_STUDENT_NO_SHOW_RATE = 0.05
RATE_LIMITS = (0.001, 0.95)

# Of tutors: a busy one stops one time in twenty. A week without a session is usual; each further day adds, and so does
# teaching less than before, by its logarithm: half as much doubles the odds.
BUSY_TUTOR_LOG_ODDS = -2.94
USUAL_SILENCE_DAYS = 7
SILENT_DAY_LOG_ODDS = 0.08
LESS_TEACHING_LOG_ODDS = -1.0

NO_FILL: Mapping[str, float] = MappingProxyType({})


class Rules(ABC):
    """What stands in for a model: probabilities by a formula, told feature by feature."""

    version = VERSION
    kind: str
    source: Literal["model", "rules"] = "rules"
    features: tuple[str, ...]
    fill: Mapping[str, float] = NO_FILL

    def predict(self, matrix: Matrix) -> Floats:
        return probability_of(self.contributions(matrix).sum(axis=1))

    @abstractmethod
    def contributions(self, matrix: Matrix) -> Floats:
        """Log-odds (rows, features + 1): what each feature adds, and the bias in the last column."""


class MatchRules(Rules):
    """Churn from compatibility alone: log-odds = -2 + 3 · (1 - compatibility)."""

    kind = MATCH.kind
    features = MATCH.names

    def contributions(self, matrix: Matrix) -> Floats:
        check_width(self, matrix)
        columns = {name: self.features.index(name) for name in COMPATIBILITY_WEIGHTS}
        burden = compatibility_burden({name: matrix[:, i].astype(np.float64) for name, i in columns.items()})
        answer = np.zeros((len(matrix), len(self.features) + 1))
        for name, position in columns.items():
            answer[:, position] = BURDEN_LOG_ODDS * burden[name]
        answer[:, -1] = BEST_MATCH_LOG_ODDS
        return answer


class SessionRules(Rules):
    """A session fails by its tutor as often as the tutor's sessions have: reschedules and no-shows added up."""

    kind = SESSION.kind
    features = SESSION.names

    def contributions(self, matrix: Matrix) -> Floats:
        """Each rate adds what it changes against the typical one; the bias is the typical tutor."""
        check_width(self, matrix)
        reschedules, no_shows = (self.features.index(f"tutor_{name}_rate") for name in ("reschedule", "no_show"))
        reschedule_rate = _known(matrix[:, reschedules], TYPICAL_RESCHEDULE_RATE)
        no_show_rate = _known(matrix[:, no_shows], TYPICAL_NO_SHOW_RATE)
        typical = _rate_log_odds(np.full(len(matrix), TYPICAL_RESCHEDULE_RATE + TYPICAL_NO_SHOW_RATE))
        with_reschedules = _rate_log_odds(reschedule_rate + TYPICAL_NO_SHOW_RATE)
        answer = np.zeros((len(matrix), len(self.features) + 1))
        answer[:, reschedules] = with_reschedules - typical
        answer[:, no_shows] = _rate_log_odds(reschedule_rate + no_show_rate) - with_reschedules
        answer[:, -1] = typical
        return answer


class StudentNoShowRules(Rules):
    """A student misses a session as often as the student has missed sessions."""

    kind = STUDENT_NO_SHOW.kind
    features = STUDENT_NO_SHOW.names

    def contributions(self, matrix: Matrix) -> Floats:
        """The student's rate adds what it changes against the typical one; the bias is the typical student."""
        check_width(self, matrix)
        position = self.features.index("student_no_show_rate")
        typical = _rate_log_odds(np.full(len(matrix), TYPICAL_STUDENT_NO_SHOW_RATE))
        answer = np.zeros((len(matrix), len(self.features) + 1))
        answer[:, position] = _rate_log_odds(_known(matrix[:, position], TYPICAL_STUDENT_NO_SHOW_RATE)) - typical
        answer[:, -1] = typical
        return answer


class AttritionRules(Rules):
    """A tutor stops who has not taught for long, and teaches less than before."""

    kind = ATTRITION.kind
    features = ATTRITION.names

    def contributions(self, matrix: Matrix) -> Floats:
        """What silence and less teaching add to a busy tutor, the bias."""
        check_width(self, matrix)
        days, change = (self.features.index(name) for name in ("days_since_session", "sessions_change"))
        answer = np.zeros((len(matrix), len(self.features) + 1))
        answer[:, days] = SILENT_DAY_LOG_ODDS * np.maximum(_known(matrix[:, days], 0) - USUAL_SILENCE_DAYS, 0)
        answer[:, change] = LESS_TEACHING_LOG_ODDS * np.minimum(_known(matrix[:, change], 0), 0)
        answer[:, -1] = BUSY_TUTOR_LOG_ODDS
        return answer


RULES: Mapping[str, Model] = MappingProxyType(
    {rules.kind: rules for rules in (MatchRules(), SessionRules(), StudentNoShowRules(), AttritionRules())}
)


def rules_for(task: Task) -> Model:
    """The rules of a task."""
    return RULES[task.kind]


def _known(column: Matrix, otherwise: float) -> Floats:
    return np.where(np.isnan(column), otherwise, column).astype(np.float64)


def _rate_log_odds(rate: Floats) -> Floats:
    return log_odds(np.clip(rate, *RATE_LIMITS))
