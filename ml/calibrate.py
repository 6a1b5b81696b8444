"""Calibration: from the log-odds of a model to probabilities that come true as often as they say.

A calibration is a few numbers, kept in the model's JSON.
"""

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np

from ml.features import Bools, Floats

# Isotonic regression follows any shape but needs many rows; below, Platt's two parameters are steadier.
# On 6,000 rows it was measured to lose log loss and AUC against them, by its steps.
ISOTONIC_MIN_ROWS = 20_000
ISOTONIC_MIN_OF_EACH = 2000


@dataclass(frozen=True)
class Calibration:
    """A rising function of log-odds. `platt`: xs = (slope, intercept); `isotonic`: straight lines between the points
    (xs, ys), level outside."""

    method: Literal["platt", "isotonic"]
    xs: tuple[float, ...]
    ys: tuple[float, ...] = ()

    def apply(self, margin: Floats) -> Floats:
        """(rows,) probabilities, never 0 or 1."""
        if self.method == "platt":
            slope, intercept = self.xs
            # Beyond 30 a probability is 1 in double precision, and its log-odds would be infinite.
            return np.asarray(1 / (1 + np.exp(-np.clip(slope * margin + intercept, -30, 30))))
        return np.interp(margin, self.xs, self.ys)

    def to_dict(self) -> dict[str, Any]:
        return {"method": self.method, "xs": list(self.xs), "ys": list(self.ys)}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        return cls(stored["method"], tuple(stored["xs"]), tuple(stored["ys"]))


UNCALIBRATED = Calibration("platt", (1.0, 0.0))


def fit_calibration(margin: Floats, label: Bools) -> Calibration:
    """From (rows,) log-odds and what happened, on rows the model was not fitted to. With one class only there is
    nothing to learn: the log-odds stay as they are."""
    positives = int(label.sum())
    negatives = len(label) - positives
    if not positives or not negatives:
        return UNCALIBRATED
    if len(label) >= ISOTONIC_MIN_ROWS and min(positives, negatives) >= ISOTONIC_MIN_OF_EACH:
        return _isotonic(margin, label)
    return _platt(margin, label)


def _platt(margin: Floats, label: Bools) -> Calibration:
    """Platt (1999): logistic regression on the log-odds, with targets drawn in a little so that perfectly separated
    rows do not lead to infinite slopes. The slope is not let below zero: calibration must not turn the order round."""
    from scipy.optimize import minimize

    positives = int(label.sum())
    negatives = len(label) - positives
    target = np.where(label, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(parameters: Floats) -> tuple[float, Floats]:
        z = parameters[0] * margin + parameters[1]
        residual = 1 / (1 + np.exp(-np.clip(z, -500, 500))) - target
        value = float(np.mean(np.logaddexp(0, z) - target * z))
        return value, np.array([np.mean(residual * margin), np.mean(residual)])

    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(0, None), (None, None)])
    return Calibration("platt", (float(found.x[0]), float(found.x[1])))


def _isotonic(margin: Floats, label: Bools) -> Calibration:
    from sklearn.isotonic import IsotonicRegression

    # No step is trusted to be certain: its probability keeps half a row's distance from 0 and 1.
    edge = 0.5 / len(label)
    fitted = IsotonicRegression(y_min=edge, y_max=1 - edge).fit(margin, label.astype(np.float64))
    return Calibration("isotonic", tuple(fitted.X_thresholds_.tolist()), tuple(fitted.y_thresholds_.tolist()))
