"""How good are the models on the made-up marketplace, and how good could they be at all? Its hidden truth is known."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.harness import fresh_platform, settings_of
from core import dbt_runner
from core.database import Database
from demo import write_demo
from ingest import load_folder
from ingest.ids import entity_uuid
from ml.boosted import fit
from ml.evaluate import evaluation, row_losses, summary
from ml.features import COMPATIBILITY_WEIGHTS, MATCH, canonical, feature_matrix, labels, times
from ml.model import raw_margins
from ml.retraining import SEED, retrain
from ml.split import rolling_folds, time_split
from ml.training_set import training_set

FIGURES = {
    "auc": "AUC", "pr_auc": "PR-AUC", "log_loss": "log loss", "brier": "Brier", "calibration_error": "off by",
    "calibration_error_by_chance": "by chance",
}  # fmt: skip
# What is left out, one line each. Histories of one side say much the same, so they are left out together, too.
ABLATIONS: dict[str, tuple[str, ...]] = {
    "preferences": tuple(COMPATIBILITY_WEIGHTS),
    "the student's history": tuple(
        name for name in MATCH.names if name.startswith("student_") and name not in ("student_age", "student_urgency")
    ),
    "the tutor's history": tuple(
        name for name in MATCH.names if name.startswith("tutor_") and name != "tutor_experience_years"
    ),
    **{name: (name,) for name in MATCH.names},
}


@dataclass(frozen=True)
class Size:
    tutors: int
    students: int
    days: int
    seeds: tuple[int, ...] = (7, 1, 2)


SMALL = Size(tutors=300, students=3_000, days=180)
FULL = Size(tutors=1_500, students=20_000, days=365, seeds=(7,))
TINY = Size(tutors=20, students=80, days=120, seeds=(7,))


def run(size: Size, console: Console, home: Path, database: Database) -> None:
    """Per seed, make the marketplace, train, and print what rules, baseline, model and truth know about the last pairs.
    Then what the model would know without a feature."""
    frames = []
    for place, seed in enumerate(size.seeds):
        if place == 0:
            frames.append(_one(size, seed, console, home, database))
        else:
            with fresh_platform() as (another_home, another):
                frames.append(_one(size, seed, console, another_home, another))
    table = Table("without", *(f"AUC, seed {seed}" for seed in size.seeds), "log loss, all seeds: worse by", "± s.e.")
    whole = [predicted(frame, ()) for frame in frames]
    happened = [_test_labels(frame) for frame in frames]
    table.add_row("nothing", *(f"{summary(*pair)['auc']:.4f}" for pair in zip(happened, whole, strict=True)), "", "")
    losses = np.concatenate([row_losses(*pair) for pair in zip(happened, whole, strict=True)])
    for words, names in ABLATIONS.items():
        found = [predicted(frame, names) for frame in frames]
        pairs = list(zip(happened, found, strict=True))
        worse = np.concatenate([row_losses(*pair) for pair in pairs]) - losses
        aucs = [summary(*pair)["auc"] for pair in pairs]
        error = worse.std() / np.sqrt(len(worse))
        table.add_row(words, *(f"{auc:.4f}" for auc in aucs), f"{worse.mean():+.4f}", f"{error:.4f}")
    console.print(table)


def _one(size: Size, seed: int, console: Console, home: Path, database: Database) -> pd.DataFrame:
    """The labelled pairs of a marketplace, after its table has been printed."""
    settings = settings_of(home, database_url=database.url)
    folder = home / "demo"
    write_demo(folder, tutors=size.tutors, students=size.students, days=size.days, seed=seed)
    load_folder(database, folder, timezone=settings.timezone)
    dbt_runner.build(settings, database)
    candidate = retrain(settings, database, MATCH.kind).candidate
    frame = canonical(MATCH, training_set(database, MATCH))
    console.print(f"matching: {size.students:,} students, {size.tutors:,} tutors, {size.days} days, seed {seed}")
    console.print(f"{'promoted' if candidate.is_promoted else 'not promoted'}: {candidate.reason}", highlight=False)
    if candidate.model is None:
        return frame
    table = Table("on the last pairs, by time", "rows", *FIGURES.values())
    shown = {"rules": "rules", "baseline": "additive logistic", "model": "XGBoost"}
    rows = {words: candidate.metrics[name] for name, words in shown.items()}
    rows["the hidden truth: the ceiling"] = ceiling(frame, folder)
    for words, figures in rows.items():
        table.add_row(words, f"{figures['rows']:,}", *(f"{figures[name]:.4f}" for name in FIGURES))
    console.print(table)
    bands = candidate.metrics["model"]["risk_bands"]
    table = Table("risk band of XGBoost", "rows", "predicted", "observed")
    for band in bands:
        shares = ["" if band[name] is None else f"{band[name]:.3f}" for name in ("predicted", "observed")]
        table.add_row(band["risk_level"], f"{band['rows']:,}", *shares)
    console.print(table)
    return frame


def predicted(frame: pd.DataFrame, without: tuple[str, ...]) -> np.ndarray[Any, Any]:
    """Probabilities for the test rows of labelled pairs in canonical order, by a model without these features."""
    task = replace(MATCH, features=tuple(feature for feature in MATCH.features if feature.name not in without))
    matrix, label, moments = feature_matrix(task.names, frame), labels(task, frame), times(task, frame)
    parts = time_split(moments)
    trials = rolling_folds(moments[parts.train])
    monotone = [feature.monotone for feature in task.features]
    fitted = fit(matrix[parts.train], label[parts.train], trials, monotone=monotone, seed=SEED)
    return fitted.calibration.apply(raw_margins(fitted.linear, fitted.trees, matrix[parts.test]))


def ceiling(frame: pd.DataFrame, folder: Path) -> dict[str, Any]:
    """Figures of the generator's own probabilities on the test rows: no model can know more, but by luck."""
    test = frame.iloc[time_split(times(MATCH, frame)).test]
    truth = pd.read_csv(folder / ".truth" / "pairs.csv.gz", dtype=str)
    tutor = {name: str(entity_uuid(name)) for name in truth["tutor_id"].unique()}
    truth["tutor_id"] = truth["tutor_id"].map(tutor)
    # A pair may meet in one subject only, so that its probability is one.
    truth["churn"] = 1 - truth["continue_probability"].astype(float)
    joined = test.merge(truth[["student_id", "tutor_id", "churn"]], on=["student_id", "tutor_id"], how="left")
    if joined["churn"].isna().any():
        raise ValueError("the truth lacks pairs that met")
    return dict(evaluation(labels(MATCH, joined), np.asarray(joined["churn"], dtype=np.float64)))


def _test_labels(frame: pd.DataFrame) -> np.ndarray[Any, Any]:
    return labels(MATCH, frame)[time_split(times(MATCH, frame)).test]
