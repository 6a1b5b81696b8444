"""Training: from labelled rows to a candidate that is promoted or not, with reasons."""

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.baseline import fit_additive_logistic
from ml.boosted import PARAMETERS, fit
from ml.drift import reference
from ml.evaluate import evaluation
from ml.features import (
    Bools,
    Floats,
    FrameError,
    Task,
    canonical,
    feature_matrix,
    groups,
    labels,
    outcome_times,
    times,
)
from ml.model import BoostedModel, Model
from ml.promote import Decision, Fault, decide, too_little
from ml.split import rolling_folds, time_split
from ml.store import make_model

if TYPE_CHECKING:
    import pandas as pd

# Settings and calibration need no more; of more, every n-th is taken, in order of time.
MOST_TRIAL_ROWS = 60_000
BASELINE = "additive logistic"
ROWS_FOR_INFLUENCE = 10_000  # SHAP values of more take long and say the same


@dataclass(frozen=True)
class TestScores:
    """What happened in the test rows, and what the candidate had said; for plots."""

    __test__ = False  # not a test of pytest's

    label: Bools  # (rows,)
    probability: Floats  # (rows,)


@dataclass(frozen=True)
class Candidate:
    """What training came to. `model` is None where there was too little to learn from; the reason says so.

    `metrics` and `parameters` are JSON: no NaN, no NumPy. `metrics` has the figures of `ml.evaluate.evaluation` on the
    same test rows for `model`, `baseline`, `rules` and `champion` (those there are), and the share of each feature in
    what moves predictions. `faults` say for programs what `reason` says for people. Days are those of the first and
    last labelled row; `trained_rows` counts the rows the model was fitted to.
    """

    kind: str
    model: BoostedModel | None
    is_promoted: bool
    reason: str
    faults: frozenset[Fault]
    metrics: dict[str, Any]
    parameters: dict[str, Any]
    data_from: date | None
    data_to: date | None
    trained_rows: int
    scores: TestScores | None


def train(
    task: Task,
    frame: "pd.DataFrame",
    *,
    seed: int,
    champion: Model | None,
    rules: Model,
    low: float = 0.3,
    high: float = 0.7,
    sample_of: int | None = None,
) -> Candidate:
    """Train a challenger on the labelled rows of a task, in any order, and judge it on the last of them.

    The model is fitted to the first 85% of the rows (where the task says since when outcomes are known, to those known
    by then), with settings and a calibration from beginnings of them that were watched on what came next; the last 15%
    are for the judgement alone. `low` and `high`: the limits of the risk bands
    that are reported. `sample_of`: how many labelled rows there are, where `frame` is a sample of them; the parameters
    of the candidate, and so its record, then say of how many it learnt.

    The same rows and seed give the same model, to the byte. Raises FrameError for a frame that does not fit the task.
    """
    frame = canonical(task, frame)
    label, moments, known = labels(task, frame), times(task, frame), outcome_times(task, frame)
    days: list[date] = moments.astype("datetime64[D]").tolist()
    data_from, data_to = (days[0], days[-1]) if days else (None, None)
    matrix = feature_matrix(task.names, frame)

    def without_model(reason: str, metrics: dict[str, Any]) -> Candidate:
        return Candidate(
            task.kind, None, False, reason, frozenset({"too_little"}), metrics, {}, data_from, data_to, 0, None
        )

    def figures(probability: Floats, chosen: "slice | Bools") -> dict[str, Any]:
        rows = frame.iloc[chosen].reset_index(drop=True)
        return dict(evaluation(label[chosen], probability, frame=rows, by=task.subgroups, low=low, high=high))

    reason = too_little(len(frame), int(label.sum()))
    if reason:
        return without_model(reason, {"rules": figures(rules.predict(matrix), slice(None))})
    parts = time_split(moments, known)
    train_rows, test_rows = parts.train, parts.test
    every = -(-len(label[train_rows]) // MOST_TRIAL_ROWS) or 1
    trials = [
        fold
        for fold in rolling_folds(moments[train_rows], None if known is None else known[train_rows], every=every)
        if all(0 < label[part].mean() < 1 for part in fold)
    ]
    if not trials:
        return without_model(
            "the time before the test rows has too few outcomes; there is nothing to tell apart",
            {"rules": figures(rules.predict(matrix), slice(None))},
        )
    before = label[train_rows]
    fitted = fit(
        matrix[train_rows], before, trials, monotone=[feature.monotone for feature in task.features], seed=seed
    )
    sample = {} if sample_of is None else {"sample": {"rows": len(label), "of": sample_of}}
    parameters = {**PARAMETERS, "seed": seed, "linear_share": fitted.linear_share, "rounds": fitted.rounds, **sample}
    model = make_model(
        kind=task.kind,
        features=task.names,
        fill={name: _median(matrix[train_rows, task.names.index(name)]) for name in task.filled},
        linear=fitted.linear,
        booster=fitted.trees,
        calibration=fitted.calibration,
        reference=reference(task.names, matrix[train_rows]),
        birth={
            "data_from": days[0].isoformat(),
            "data_to": days[-1].isoformat(),
            "labelled_rows": len(label),
            "trained_rows": len(before),
            "parameters": parameters,
        },
    )

    test = label[test_rows]
    baseline = fit_additive_logistic(matrix[train_rows], before).predict(matrix[test_rows])
    probability = model.predict(matrix[test_rows])
    by_rules = rules.predict(matrix[test_rows])
    by_champion = _champion_says(champion, frame.iloc[test_rows])
    decision = decide(
        test,
        probability,
        prevalence=float(before.mean()),
        rules=by_rules,
        baseline=(BASELINE, baseline),
        champion=by_champion,
        groups=groups(task, frame.iloc[test_rows]),
    )
    if champion is not None and champion.version == model.version:
        decision = Decision(True, f"the same as the champion {model.version}: same data, same model")
    metrics: dict[str, Any] = {
        "split": {
            "train_rows": len(before),
            "test_rows": len(test),
            "test_from": days[test_rows.start].isoformat() if len(test) else None,
        },
        "model": figures(probability, test_rows),
        "baseline": figures(baseline, test_rows),
        "rules": figures(by_rules, test_rows),
        "influence": model.influence(matrix[train_rows][:: -(-len(before) // ROWS_FOR_INFLUENCE)]),
    }
    if by_champion is not None:
        metrics["champion"] = {"version": by_champion[0], **figures(by_champion[1], test_rows)}
    return Candidate(
        kind=task.kind,
        model=model,
        is_promoted=decision.is_promoted,
        reason=decision.reason,
        faults=decision.faults,
        metrics=metrics,
        parameters=parameters,
        data_from=data_from,
        data_to=data_to,
        trained_rows=len(before),
        scores=TestScores(test, probability),
    )


def _champion_says(champion: Model | None, frame: "pd.DataFrame") -> tuple[str, Floats] | None:
    """The champion's version and probabilities; None for the rules, which are a baseline anyway, and for a champion
    of other features than there are now, with which nothing can be compared."""
    if champion is None or champion.source == "rules":
        return None
    try:
        return champion.version, champion.predict(feature_matrix(champion.features, frame))
    except FrameError:
        return None


def _median(column: "np.typing.NDArray[np.float32]") -> float:
    """NaN where all are unknown is no number for JSON; 0 is then as good as any, as no tree looks at the feature."""
    known = column[~np.isnan(column)]
    return float(np.median(known)) if len(known) else 0.0
