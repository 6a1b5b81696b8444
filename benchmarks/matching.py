"""How good are the models on the made-up marketplace, and how good could they be at all? Its hidden truth is known."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.harness import settings_of
from core import dbt_runner
from core.database import Database
from demo import write_demo
from ingest import load_folder
from ingest.ids import entity_uuid
from ml.evaluate import summary
from ml.features import MATCH, canonical, labels, times
from ml.retraining import retrain
from ml.split import time_split
from ml.training_set import training_set

FIGURES = {"auc": "AUC", "pr_auc": "PR-AUC", "log_loss": "log loss", "brier": "Brier"}


@dataclass(frozen=True)
class Size:
    tutors: int
    students: int
    days: int
    seed: int = 7


SMALL = Size(tutors=300, students=3_000, days=180)
FULL = Size(tutors=1_500, students=20_000, days=365)
TINY = Size(tutors=20, students=80, days=120)


def run(size: Size, console: Console, home: Path, database: Database) -> None:
    """Make the marketplace, train, and print what rules, baseline, model and truth know about the last pairs."""
    settings = settings_of(home, database_url=database.url)
    folder = home / "demo"
    write_demo(folder, tutors=size.tutors, students=size.students, days=size.days, seed=size.seed)
    load_folder(database, folder, timezone=settings.timezone)
    dbt_runner.build(settings, database)
    candidate = retrain(settings, database, MATCH.kind).candidate
    console.print(f"matching: {size.students:,} students, {size.tutors:,} tutors, {size.days} days, seed {size.seed}")
    console.print(f"{'promoted' if candidate.is_promoted else 'not promoted'}: {candidate.reason}", highlight=False)
    if candidate.model is None:
        return
    table = Table("on the last pairs, by time", "rows", *FIGURES.values())
    shown = {"rules": "rules", "baseline": "additive logistic", "model": "XGBoost"}
    rows = {words: candidate.metrics[name] for name, words in shown.items()}
    rows["the hidden truth: the ceiling"] = ceiling(database, folder)
    for words, figures in rows.items():
        table.add_row(words, f"{figures['rows']:,}", *(f"{figures[name]:.4f}" for name in FIGURES))
    console.print(table)
    bands = candidate.metrics["model"]["risk_bands"]
    table = Table("risk band of XGBoost", "rows", "predicted", "observed")
    for band in bands:
        shares = ["" if band[name] is None else f"{band[name]:.3f}" for name in ("predicted", "observed")]
        table.add_row(band["risk_level"], f"{band['rows']:,}", *shares)
    console.print(table)


def ceiling(database: Database, folder: Path) -> dict[str, float]:
    """Figures of the generator's own probabilities on the test rows: no model can know more, but by luck."""
    frame = canonical(MATCH, training_set(database, MATCH))
    test = frame.iloc[time_split(times(MATCH, frame)).test]
    truth = pd.read_csv(folder / "truth" / "pairs.csv.gz", dtype=str)
    tutor = {name: str(entity_uuid(name)) for name in truth["tutor_id"].unique()}
    truth["tutor_id"] = truth["tutor_id"].map(tutor)
    # A pair may meet in one subject only, so that its probability is one.
    truth["churn"] = 1 - truth["continue_probability"].astype(float)
    joined = test.merge(truth[["student_id", "tutor_id", "churn"]], on=["student_id", "tutor_id"], how="left")
    if joined["churn"].isna().any():
        raise ValueError("the truth lacks pairs that met")
    return summary(labels(MATCH, joined), np.asarray(joined["churn"], dtype=np.float64))
