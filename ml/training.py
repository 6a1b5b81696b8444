"""Training: from labelled rows to a candidate that is promoted or not, with reasons."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from ml.features import Bools, Floats
from ml.model import BoostedModel


@dataclass(frozen=True)
class TestScores:
    """What happened in the test rows, and what the candidate had said; for plots."""

    __test__ = False  # not a test of pytest's

    label: Bools  # (rows,)
    probability: Floats  # (rows,)


@dataclass(frozen=True)
class Candidate:
    """What training came to. `model` is None where there was too little to learn from; the reason says so.

    `metrics` and `parameters` are JSON: no NaN, no NumPy. Days are those of the first and last labelled row.
    """

    kind: str
    model: BoostedModel | None
    is_promoted: bool
    reason: str
    metrics: dict[str, Any]
    parameters: dict[str, Any]
    data_from: date | None
    data_to: date | None
    trained_rows: int
    scores: TestScores | None
