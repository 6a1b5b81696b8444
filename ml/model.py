"""What can predict: the protocol of all models, and the boosted trees. The rules are in `ml.baseline`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from ml.calibrate import Calibration
from ml.drift import Reference
from ml.features import Floats, Matrix

if TYPE_CHECKING:
    import xgboost


class Model(Protocol):
    """Gives probabilities for rows of features. Safe to share between threads."""

    @property
    def kind(self) -> str:
        """`match` or `session`."""

    @property
    def version(self) -> str:
        """Names the model, and goes with every prediction."""

    @property
    def source(self) -> Literal["model", "rules"]:
        """Whether the probabilities were learnt or laid down."""

    @property
    def features(self) -> tuple[str, ...]:
        """The columns of a matrix, in this order."""

    @property
    def fill(self) -> Mapping[str, float]:
        """What to put in for features that a row to be predicted cannot have yet (the training median)."""

    def predict(self, matrix: Matrix) -> Floats:
        """(rows,) probabilities for (rows, features); NaN = unknown."""

    def contributions(self, matrix: Matrix) -> Floats:
        """(rows, features + 1): what each feature adds to the log-odds, and last the bias. A row sums to the log-odds
        of `predict`."""


def log_odds(probability: Floats) -> Floats:
    """ln(p / (1 - p)), for 0 < p < 1."""
    return np.log(probability) - np.log1p(-probability)


def probability_of(odds: Floats) -> Floats:
    """The probability that has these log-odds."""
    return 1 / (1 + np.exp(-odds))


def check_width(model: Model, matrix: Matrix) -> None:
    """Raises ValueError unless the matrix has a column per feature of the model."""
    if matrix.ndim != 2 or matrix.shape[1] != len(model.features):
        raise ValueError(f"{model.version} takes (rows, {len(model.features)}) features, not {matrix.shape}")


@dataclass(frozen=True)
class BoostedModel:
    """Boosted trees with their calibration. All of it is numbers that a store writes and reads back the same."""

    kind: str
    features: tuple[str, ...]
    fill: Mapping[str, float]
    booster: "xgboost.Booster"
    calibration: Calibration
    reference: Reference  # what the features looked like in training
    birth: Mapping[str, Any]  # what it was made of: rows, days, parameters, seed
    version: str
    source: Literal["model", "rules"] = field(default="model", init=False)

    def predict(self, matrix: Matrix) -> Floats:
        return self.calibration.apply(self._margins(matrix))

    def contributions(self, matrix: Matrix) -> Floats:
        """The trees' own (exact SHAP values of the uncalibrated log-odds), stretched so that a row sums to the
        calibrated ones. Calibration rises with the margin, so no feature changes its sign."""
        import xgboost

        check_width(self, matrix)
        if not len(matrix):
            return np.empty((0, len(self.features) + 1))
        raw = self.booster.predict(xgboost.DMatrix(matrix), pred_contribs=True).astype(np.float64)
        bias = log_odds(self.calibration.apply(raw[:, -1]))
        total = log_odds(self.predict(matrix))
        distance = raw[:, :-1].sum(axis=1)
        stretch = np.divide(total - bias, distance, out=np.zeros_like(total), where=np.abs(distance) > 1e-9)
        answer = np.empty_like(raw)
        answer[:, :-1] = raw[:, :-1] * stretch[:, np.newaxis]
        answer[:, -1] = total - answer[:, :-1].sum(axis=1)
        return answer

    def gain_shares(self) -> dict[str, float]:
        """Which part of the trees' total gain each feature brought; fractions that sum to 1, in order of features."""
        gains = self.booster.get_score(importance_type="total_gain")
        values = {name: float(np.sum(gains.get(f"f{position}", 0.0))) for position, name in enumerate(self.features)}
        total = sum(values.values())
        return {name: value / total if total else 0.0 for name, value in values.items()}

    def _margins(self, matrix: Matrix) -> Floats:
        check_width(self, matrix)
        if not len(matrix):
            return np.empty(0)
        return np.asarray(self.booster.inplace_predict(matrix, predict_type="margin"), dtype=np.float64)
