"""Gradient-boosted trees: shallow, slow and strongly regularised, as there are few rows and much chance in them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.features import Bools, Matrix

if TYPE_CHECKING:
    import xgboost

PARAMETERS: dict[str, Any] = {
    "objective": "binary:logistic",
    "eval_metric": "logloss",
    "tree_method": "hist",
    "max_depth": 3,
    "eta": 0.04,
    "min_child_weight": 5,
    "subsample": 0.8,
    "colsample_bytree": 0.6,
    "reg_lambda": 5.0,
    "max_bin": 128,
}
# By the data and not by the machine, as sums over another number of threads differ in the last bit, and with them the
# file. On few rows threads wait for each other longer than they work, the more so where other work goes on.
ROWS_FOR_TWO_THREADS = 100_000
MOST_ROUNDS = 1500
PATIENCE = 60  # rounds without a better log loss on the rows held out


def fit_trees(
    matrix: Matrix,
    label: Bools,
    held_out: tuple[Matrix, Bools],
    *,
    monotone: Sequence[int],
    seed: int,
) -> "xgboost.Booster":
    """Trees for (rows, features), NaN = unknown, and (rows,) of both classes; as many as the held-out rows, which are
    of the same form, find good. `monotone`: per feature 1, -1 or 0, the direction in which it may move the result.

    The same input gives the same trees, to the byte.
    """
    import xgboost

    threads = 2 if len(label) >= ROWS_FOR_TWO_THREADS else 1
    parameters = {
        **PARAMETERS,
        "nthread": threads,
        "seed": seed,
        "monotone_constraints": tuple(monotone),
        "base_score": float(np.mean(label)),
    }
    train = xgboost.QuantileDMatrix(matrix, label, max_bin=PARAMETERS["max_bin"], nthread=threads)
    watched = xgboost.DMatrix(held_out[0], held_out[1], nthread=threads)
    grown = xgboost.train(
        parameters,
        train,
        MOST_ROUNDS,
        evals=[(watched, "held_out")],
        early_stopping_rounds=PATIENCE,
        verbose_eval=False,
    )
    best: xgboost.Booster = grown[: grown.best_iteration + 1]
    # What early stopping noted would be written to the file, and is of no use to a reader of the trees.
    best.set_attr(best_iteration=None, best_score=None)
    return best
