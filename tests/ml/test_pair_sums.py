"""Probabilities of pairs by products of matrices, held against XGBoost's own for random trees and people."""

from dataclasses import fields, replace
from typing import TypeVar

import numpy as np
import pytest
import xgboost

from ml.calibrate import Calibration
from ml.drift import Reference
from ml.features import MATCH
from ml.linear import Linear
from ml.model import BoostedModel
from ml.pairs import PairScorer, Students, Tutors, matrix, score

People = TypeVar("People", Students, Tutors)
RATES = {field.name for field in (*fields(Students), *fields(Tutors)) if field.name.endswith("rate")}


def people(kind: type[People], count: int, rng: np.random.Generator) -> People:
    """With every preference and history, and some of each unknown."""
    columns: dict[str, np.ndarray] = {}
    for field in fields(kind):
        if field.name == "ids":
            columns["ids"] = rng.integers(0, 256, (count, 16)).astype(np.uint8)
            continue
        if field.name in RATES:
            values = rng.random(count)
        elif field.name == "style":
            values = rng.integers(0, 3, count).astype(float)
        elif field.name == "age":
            values = rng.integers(6, 60, count).astype(float)
        else:
            values = rng.integers(1, 6, count) + rng.choice([0.0, 0.25, 1 / 3], count)
        columns[field.name] = np.where(rng.random(count) < rng.choice([0, 0.2]), np.nan, values)
    return kind(**columns)


def model(rng: np.random.Generator) -> BoostedModel:
    """Trees of any depth over some of the features, in any order, that have learnt from pairs and noise."""
    names = tuple(rng.permutation(MATCH.names)[: rng.integers(1, len(MATCH.names) + 1)].tolist())
    students, tutors = people(Students, 40, rng), people(Tutors, 30, rng)
    width = len(names)
    linear = Linear(
        float(rng.normal()),
        low=tuple([0.0] * width),
        high=tuple([4.0] * width),
        middle=tuple(rng.random(width).tolist()),
        slope=tuple((rng.normal(size=width) * (rng.random(width) < 0.7)).tolist()),
        gap=tuple(rng.normal(size=width).tolist()),
    )
    unborn = BoostedModel(
        "match", names, {"lead_hours": float(rng.choice([30.0, np.nan]))}, linear, xgboost.Booster(),
        Calibration(float(rng.uniform(0.5, 1.5)), float(rng.normal())), Reference({}, {}), {}, "made-up",
    )  # fmt: skip
    rows = matrix(unborn, students, tutors)
    parameters = {
        "objective": "binary:logistic", "max_depth": int(rng.integers(1, 6)), "eta": float(rng.choice([0.08, 0.5])),
        "max_bin": 128, "nthread": 1, "seed": 1, "base_score": float(rng.choice([0.5, 0.2])),
    }  # fmt: skip
    label = rng.random(len(rows)) < 1 / (1 + np.exp(np.nan_to_num(rows[:, 0]) - 1))
    trees = xgboost.train(parameters, xgboost.DMatrix(rows, label), int(rng.integers(0, 80)))
    return replace(unborn, booster=trees)


@pytest.mark.parametrize("seed", range(12))
def test_any_trees_give_what_xgboost_gives(seed: int) -> None:
    rng = np.random.default_rng(seed)
    by = model(rng)
    students, tutors = people(Students, int(rng.integers(1, 40)), rng), people(Tutors, int(rng.integers(1, 700)), rng)
    found = np.concatenate([block.probability for block in score(by, students, tutors, block_rows=2_000)])
    assert np.abs(found - by.predict(matrix(by, students, tutors))).max() < 1e-6


@pytest.mark.parametrize("seed", range(3))
def test_a_pair_has_one_probability_alone_and_among_others(seed: int) -> None:
    rng = np.random.default_rng(seed)
    by = model(rng)
    students, tutors = people(Students, 50, rng), people(Tutors, 600, rng)
    [block] = score(by, students, tutors, block_rows=30_000)
    among = block.probability.reshape(50, 600)
    scorer = PairScorer(by, students, tutors)
    some = np.concatenate([each.probability for each in scorer.score(students[7:20], block_rows=1_000)])
    assert (some.reshape(13, 600) == among[7:20]).all()
    for student, tutor in zip(rng.integers(0, 50, 20), rng.integers(0, 600, 20), strict=True):
        [alone] = score(by, students[[student]], tutors[[tutor]])
        assert alone.probability[0] == among[student, tutor]
