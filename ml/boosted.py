"""Gradient-boosted trees on top of a straight part: shallow and strongly regularised, as there are few rows and much
chance in them.

How much of the straight part is taken, and how many trees, is found on later rows than those learnt from: trees are
grown on several beginnings of the time, in step, each watched on what comes next.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ml.calibrate import Calibration, fit_calibration
from ml.evaluate import margin_losses
from ml.features import Bools, Floats, Integers, Matrix
from ml.linear import Linear, fit_linear

if TYPE_CHECKING:
    import xgboost

Rows: TypeAlias = slice | Integers
Fold: TypeAlias = tuple[Rows, Rows]  # rows to learn from, and rows to watch

PARAMETERS: dict[str, Any] = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "max_depth": 3,
    "eta": 0.08,
    "min_child_weight": 20,
    "subsample": 0.8,
    "colsample_bytree": 0.6,
    "reg_lambda": 20.0,
    "max_bin": 128,
    "base_score": 0.5,  # log-odds of 0: the level is in the straight part
}
# Monotone trees can add to a slope but take nothing from it. A part of it is therefore left to them, so that it may
# come out less steep for some than for others; with no share of it, they draw all by themselves.
LINEAR_SHARES = (0.0, 0.5, 0.75)
# By the data and not by the machine, as sums over another number of threads differ in the last bit, and with them the
# file. On few rows threads wait for each other longer than they work, the more so where other work goes on.
ROWS_FOR_TWO_THREADS = 100_000
MOST_ROUNDS = 600
PATIENCE = 25  # rounds without a better log loss on the rows watched


@dataclass(frozen=True)
class Fitted:
    """A straight part, the trees on top of it, and the calibration of their sum. `linear_share` and `rounds` are what
    the watched rows were best predicted with."""

    linear: Linear
    trees: "xgboost.Booster"
    calibration: Calibration
    linear_share: float
    rounds: int


@dataclass(frozen=True)
class _Growth:
    """How far trees should grow: rounds, and then log loss and log-odds of the watched rows, in order of folds."""

    linear_share: float
    rounds: int
    loss: float
    margins: Floats


def fit(matrix: Matrix, label: Bools, folds: Sequence[Fold], *, monotone: Sequence[int], seed: int) -> Fitted:
    """Fit to (rows, features), NaN = unknown, and (rows,), all of them. `folds` say what is learnt and what watched to
    find the settings and to calibrate; there is at least one, and each has both classes on both sides. `monotone`: per
    feature 1, -1 or 0, the direction in which it may move the result.

    The same input gives the same model, to the byte.
    """
    growths = _growths(matrix, label, folds, monotone, seed)
    best = min(growths, key=lambda growth: growth.loss)
    calibration = fit_calibration(best.margins, np.concatenate([label[watched] for _, watched in folds]))
    linear = fit_linear(matrix, label, monotone).shrunk(best.linear_share)
    import xgboost

    parameters = _parameters(len(label), monotone, seed)
    data = _data(matrix, label, parameters)
    data.set_base_margin(linear.margin(matrix))
    trees = xgboost.train(parameters, data, best.rounds)
    return Fitted(linear, trees, calibration, best.linear_share, best.rounds)


def _growths(matrix: Matrix, label: Bools, folds: Sequence[Fold], monotone: Sequence[int], seed: int) -> list[_Growth]:
    """One per share of the straight part."""
    import xgboost

    parameters = [_parameters(len(label[learnt]), monotone, seed) for learnt, _ in folds]
    linears = [fit_linear(matrix[learnt], label[learnt], monotone) for learnt, _ in folds]
    learns = [_data(matrix[learnt], label[learnt], each) for (learnt, _), each in zip(folds, parameters, strict=True)]
    watches = [xgboost.DMatrix(matrix[watched], nthread=each["nthread"])
               for (_, watched), each in zip(folds, parameters, strict=True)]  # fmt: skip
    happened = np.concatenate([label[watched] for _, watched in folds])

    growths = []
    for share in LINEAR_SHARES:
        for (learnt, watched), linear, learn, watch in zip(folds, linears, learns, watches, strict=True):
            learn.set_base_margin(linear.shrunk(share).margin(matrix[learnt]))
            watch.set_base_margin(linear.shrunk(share).margin(matrix[watched]))
        boosters = [xgboost.Booster(each, [learn, watch])
                    for each, learn, watch in zip(parameters, learns, watches, strict=True)]  # fmt: skip
        best = _Growth(share, 0, np.inf, np.empty(0))
        for count in range(1, MOST_ROUNDS + 1):
            for booster, learn in zip(boosters, learns, strict=True):
                booster.update(learn, count - 1)
            margins = np.concatenate(
                [booster.predict(watch, output_margin=True) for booster, watch in zip(boosters, watches, strict=True)]
            ).astype(np.float64)
            loss = float(margin_losses(happened, margins).mean())
            if loss < best.loss:
                best = _Growth(share, count, loss, margins)
            elif count - best.rounds >= PATIENCE:
                break
        growths.append(best)
    return growths


def _parameters(rows: int, monotone: Sequence[int], seed: int) -> dict[str, Any]:
    threads = 2 if rows >= ROWS_FOR_TWO_THREADS else 1
    return {**PARAMETERS, "nthread": threads, "seed": seed, "monotone_constraints": tuple(monotone)}


def _data(matrix: Matrix, label: Bools, parameters: dict[str, Any]) -> "xgboost.QuantileDMatrix":
    import xgboost

    return xgboost.QuantileDMatrix(matrix, label, max_bin=parameters["max_bin"], nthread=parameters["nthread"])
