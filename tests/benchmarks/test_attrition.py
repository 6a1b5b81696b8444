"""The model of attrition, on a marketplace of which every tutor's hazard is known."""

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks import attrition
from benchmarks.harness import settings_of
from core import dbt_runner
from core.database import Database
from ingest import load_folder
from ml.evaluate import summary
from ml.features import ATTRITION, canonical, labels, outcome_times, times
from ml.retraining import retrain
from ml.split import time_split
from ml.training_set import training_set

SIZE = attrition.Size(tutors=300, days=730)


@pytest.mark.soak
def test_it_learns_what_is_there_and_the_truth_is_true(database: Database, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, database_url=database.url, as_of=attrition.UNTIL.isoformat())
    world = attrition.write_world(tmp_path / "world", SIZE, 7)
    load_folder(database, tmp_path / "world", timezone=settings.timezone)
    dbt_runner.build(settings, database)
    frame = canonical(ATTRITION, training_set(database, ATTRITION))
    # Every tutor who has a session in the last half of 60 days is labelled as such, and nobody else.
    tutor, day = attrition.rows_of(SIZE, frame)
    truth = world.truth(tutor, day, np.random.default_rng(1))
    label = labels(ATTRITION, frame)
    assert truth.mean() == pytest.approx(label.mean(), rel=0.15)
    certain = (truth < 0.02).mean()
    assert label[truth < 0.02].mean() < 0.03 or certain < 0.05

    candidate = retrain(settings, database, ATTRITION.kind).candidate
    assert candidate.model is not None, candidate.reason
    parts = time_split(times(ATTRITION, frame), outcome_times(ATTRITION, frame))
    assert candidate.metrics["split"]["train_rows"] == parts.train.stop < parts.test.start
    ceiling = summary(label[parts.test], truth[parts.test])["auc"]
    model, rules = candidate.metrics["model"], candidate.metrics["rules"]
    assert rules["auc"] < model["auc"] < ceiling + 0.02
    assert model["log_loss"] < rules["log_loss"]


@pytest.mark.soak
def test_prints_its_table(database: Database, tmp_path: Path) -> None:
    text = io.StringIO()
    attrition.run(attrition.TINY, Console(file=text, width=160), tmp_path, database)
    for words in ("attrition: 150 tutors", "promoted"):
        assert words in text.getvalue()
