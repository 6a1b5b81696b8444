"""What can predict: the protocol of all models, and the boosted trees. The rules are in `ml.rules`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from ml.calibrate import Calibration
from ml.drift import Reference
from ml.features import Floats, Matrix
from ml.linear import Linear
from ml.pair_sums import Leaves

if TYPE_CHECKING:
    import xgboost


class Model(Protocol):
    """Gives probabilities for rows of features. Safe to share between threads."""

    @property
    def kind(self) -> str:
        """The kind of its task: a key of `ml.features.TASKS`."""

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
    """A straight part, boosted trees on top of it, and the calibration of their sum. All of it is numbers that a store
    writes and reads back the same."""

    kind: str
    features: tuple[str, ...]
    fill: Mapping[str, float]
    linear: Linear
    booster: "xgboost.Booster"
    calibration: Calibration
    reference: Reference  # what the features looked like in training
    birth: Mapping[str, Any]  # what it was made of: rows, days, parameters, seed
    version: str
    source: Literal["model", "rules"] = field(default="model", init=False)

    def predict(self, matrix: Matrix) -> Floats:
        return self.calibration.apply(self._margins(matrix))

    def contributions(self, matrix: Matrix) -> Floats:
        check_width(self, matrix)
        if not len(matrix):
            return np.empty((0, len(self.features) + 1))
        answer = raw_contributions(self.linear, self.booster, matrix) * self.calibration.slope
        # What single precision lost goes to the bias.
        answer[:, -1] = self.calibration.log_odds(self._margins(matrix)) - answer[:, :-1].sum(axis=1)
        return answer

    @cached_property
    def leaves(self) -> Leaves:
        """Of the trees."""
        return Leaves(self.booster)

    def influence(self, matrix: Matrix) -> dict[str, float]:
        """How much each feature moves the log-odds on (rows, features), as a share of what all of them do: fractions
        that sum to 1, in order of features."""
        moved = np.abs(self.contributions(matrix)[:, :-1]).sum(axis=0)
        total = float(moved.sum())
        shares = (float(value) / total if total else 0.0 for value in moved)
        return dict(zip(self.features, shares, strict=True))

    def _margins(self, matrix: Matrix) -> Floats:
        check_width(self, matrix)
        return raw_margins(self.linear, self.booster, matrix) if len(matrix) else np.empty(0)


def raw_margins(linear: Linear, trees: "xgboost.Booster", matrix: Matrix) -> Floats:
    """(rows,) log-odds before the calibration, for at least one row."""
    margins = linear.margin(matrix)
    margins += trees.inplace_predict(matrix, predict_type="margin")
    return margins


def raw_contributions(linear: Linear, trees: "xgboost.Booster", matrix: Matrix) -> Floats:
    """(rows, features + 1): the terms of the straight part and the exact SHAP values of the trees, either 0 on average
    over the training rows, and last the bias; for at least one row."""
    import xgboost

    answer: Floats = trees.predict(xgboost.DMatrix(matrix), pred_contribs=True).astype(np.float64)
    answer[:, :-1] += linear.contributions(matrix)
    answer[:, -1] += linear.intercept
    return answer
