"""The straight part of a model: a logistic regression that may not contradict what is known of a feature's sign.

Few rows are enough for it, where trees would need many to draw a slope in steps. It is a few numbers, kept in the
model's JSON.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ml.features import Bools, Floats, Matrix

RIDGE = 10.0  # on slopes per standard deviation; as much as some 40 rows of even odds would say
EXTREME = 0.01  # beyond this quantile of training a value counts as the quantile: a slope is not drawn on for ever
# Sums over other numbers of threads differ in the last bit; so many decimals of the log-odds do not.
DECIMALS = 6


@dataclass(frozen=True)
class Linear:
    """Per feature: log-odds = slope · (the value, within low and high, - middle), or `gap` where it is unknown."""

    intercept: float
    low: tuple[float, ...]
    high: tuple[float, ...]
    middle: tuple[float, ...]
    slope: tuple[float, ...]
    gap: tuple[float, ...]

    def margin(self, matrix: Matrix) -> Floats:
        """(rows,) log-odds for (rows, features). Column by column, which needs little memory and no BLAS."""
        total = np.full(len(matrix), self.intercept)
        for position in range(len(self.slope)):
            if self.slope[position] or self.gap[position]:
                total += self.term(matrix[:, position], position)
        return total

    def term(self, values: npt.NDArray[np.floating], position: int) -> Floats:
        """(rows,) log-odds that this feature adds to the intercept, for its values (rows,)."""
        term = np.clip(values.astype(np.float64), self.low[position], self.high[position])
        term -= self.middle[position]
        term *= self.slope[position]
        term[np.isnan(term)] = self.gap[position]
        return term

    def contributions(self, matrix: Matrix) -> Floats:
        """(rows, features): what each feature adds to the intercept."""
        parts = [self.term(matrix[:, position], position) for position in range(len(self.slope))]
        return np.column_stack(parts) if parts else np.empty((len(matrix), 0))

    def shrunk(self, share: float) -> Self:
        """The same with only a share of every effect."""
        return replace(
            self, slope=tuple(share * slope for slope in self.slope), gap=tuple(share * gap for gap in self.gap)
        )

    def to_dict(self) -> dict[str, Any]:
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        arrays = {name: tuple(value) for name, value in stored.items() if name != "intercept"}
        return cls(stored["intercept"], **arrays)


def fit_linear(matrix: Matrix, label: Bools, monotone: Sequence[int]) -> Linear:
    """Fit to (rows, features), NaN = unknown, and (rows,) of both classes. `monotone`: per feature 1, -1 or 0, the sign
    that its slope may have; the effect of not knowing it may have either."""
    from scipy.optimize import minimize

    known = ~np.isnan(matrix)
    columns = [matrix[known[:, i], i].astype(np.float64) for i in range(matrix.shape[1])]
    limits = [np.quantile(column, (EXTREME, 1 - EXTREME)) if len(column) else np.zeros(2) for column in columns]
    low, high = (np.array([limit[side] for limit in limits]) for side in (0, 1))
    inside = [np.clip(column, *limit) for column, limit in zip(columns, limits, strict=True)]
    middle = np.array([column.mean() if len(column) else 0.0 for column in inside])
    spread = np.array([column.std() if len(column) else 0.0 for column in inside])
    # A feature that does not vary says nothing; nor does it to be unknown where that holds for all or for none.
    varies = spread > 1e-9
    spread[~varies] = 1.0
    gaps = known.any(axis=0) & ~known.all(axis=0)

    values = (np.clip(matrix, low, high) - middle) / spread
    values[~known] = 0.0
    design = np.column_stack([values[:, varies], ~known[:, gaps], np.ones(len(matrix))])
    bounds = [{1: (0, None), -1: (None, 0)}.get(monotone[i], (None, None)) for i in np.flatnonzero(varies).tolist()]
    bounds += [(None, None)] * (int(gaps.sum()) + 1)
    penalty = np.full(design.shape[1], RIDGE)
    penalty[-1] = 0.0

    def loss(weights: Floats) -> tuple[float, Floats]:
        z = design @ weights
        residual = 1 / (1 + np.exp(-np.clip(z, -500, 500))) - label
        value = np.sum(np.logaddexp(0, z) - label * z) + 0.5 * np.sum(penalty * weights**2)
        return float(value / len(label)), (design.T @ residual + penalty * weights) / len(label)

    start = np.zeros(design.shape[1])
    start[-1] = np.log(label.mean() / (1 - label.mean()))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-13, "gtol": 1e-8})
    weights = np.round(found.x, DECIMALS)
    slope, gap = np.zeros(matrix.shape[1]), np.zeros(matrix.shape[1])
    slope[varies] = weights[: varies.sum()] / spread[varies]
    gap[gaps] = weights[varies.sum() : -1]
    numbers = (tuple(array.tolist()) for array in (low, high, middle, slope, gap))
    return Linear(float(weights[-1]), *numbers)
