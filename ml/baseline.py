"""The additive logistic regression that a model must beat: what each feature says by itself, and no interactions."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.features import Bools, Floats, Matrix

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

KNOTS = 5
FEW_VALUES = 8  # up to here a feature enters as a straight line: there is no room for knots


@dataclass(frozen=True)
class AdditiveLogistic:
    """Splines of each feature, unknown values by a column of their own, ridge."""

    pipeline: "Pipeline"

    def predict(self, matrix: Matrix) -> Floats:
        """(rows,) probabilities for (rows, features)."""
        return np.asarray(self.pipeline.predict_proba(matrix)[:, 1], dtype=np.float64)


def fit_additive_logistic(matrix: Matrix, label: Bools) -> AdditiveLogistic:
    """Fit to (rows, features), NaN = unknown, and (rows,) of both classes."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import MissingIndicator, SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import SplineTransformer, StandardScaler

    distinct = [len(np.unique(column[~np.isnan(column)])) for column in matrix.T]
    lines = [i for i, count in enumerate(distinct) if 1 < count <= FEW_VALUES]
    curves = [i for i, count in enumerate(distinct) if count > FEW_VALUES]
    gaps = [i for i, column in enumerate(matrix.T) if 0 < np.isnan(column).sum() < len(column)]
    parts: list[tuple[str, Any, list[int]]] = [
        ("lines", SimpleImputer(strategy="median"), lines),
        (
            "curves",
            make_pipeline(
                SimpleImputer(strategy="median"),
                SplineTransformer(n_knots=KNOTS, degree=3, knots="quantile", extrapolation="linear"),
            ),
            curves,
        ),
        ("gaps", MissingIndicator(features="all"), gaps),
    ]
    if not lines and not curves and not gaps:
        parts = [("nothing", SimpleImputer(strategy="constant", keep_empty_features=True), [0])]
    return AdditiveLogistic(
        make_pipeline(
            ColumnTransformer([part for part in parts if part[2]]),
            StandardScaler(),
            LogisticRegression(C=0.1, max_iter=1000),
        ).fit(matrix, label)
    )
