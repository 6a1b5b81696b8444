"""Rules: what answers while there is no model, and the least a model must beat. Nothing in them was learnt."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np

from ml.features import COMPATIBILITY_WEIGHTS, MATCH, SESSION, Floats, Matrix, Task, compatibility_burden
from ml.model import Model, check_width, log_odds, probability_of

VERSION = "rules-v1"

# A perfect match is lost one time in eight, the worst three times in four; between them log-odds go in a straight line.
BEST_MATCH_LOG_ODDS = -2.0
BURDEN_LOG_ODDS = 3.0

# Means of the priors that histories are shrunk to in SQL; they stand in for a tutor without any.
TYPICAL_RESCHEDULE_RATE = 0.10
TYPICAL_NO_SHOW_RATE = 0.02
RATE_LIMITS = (0.001, 0.95)

NO_FILL: Mapping[str, float] = MappingProxyType({})


class MatchRules:
    """Churn from compatibility alone: log-odds = -2 + 3 · (1 - compatibility)."""

    version = VERSION
    kind = MATCH.kind
    source: Literal["model", "rules"] = "rules"
    features = MATCH.names
    fill: Mapping[str, float] = NO_FILL

    def predict(self, matrix: Matrix) -> Floats:
        return probability_of(self.contributions(matrix).sum(axis=1))

    def contributions(self, matrix: Matrix) -> Floats:
        check_width(self, matrix)
        columns = {name: self.features.index(name) for name in COMPATIBILITY_WEIGHTS}
        burden = compatibility_burden({name: matrix[:, i].astype(np.float64) for name, i in columns.items()})
        answer = np.zeros((len(matrix), len(self.features) + 1))
        for name, position in columns.items():
            answer[:, position] = BURDEN_LOG_ODDS * burden[name]
        answer[:, -1] = BEST_MATCH_LOG_ODDS
        return answer


class SessionRules:
    """A session fails by its tutor as often as the tutor's sessions have: reschedules and no-shows added up."""

    version = VERSION
    kind = SESSION.kind
    source: Literal["model", "rules"] = "rules"
    features = SESSION.names
    fill: Mapping[str, float] = NO_FILL

    def predict(self, matrix: Matrix) -> Floats:
        return probability_of(self.contributions(matrix).sum(axis=1))

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


def rules_for(task: Task) -> Model:
    """The rules of a task."""
    return MatchRules() if task.kind == MATCH.kind else SessionRules()


def _known(column: Matrix, otherwise: float) -> Floats:
    return np.where(np.isnan(column), otherwise, column).astype(np.float64)


def _rate_log_odds(rate: Floats) -> Floats:
    return log_odds(np.clip(rate, *RATE_LIMITS))
