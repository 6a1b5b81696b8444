"""The trial on ratings: it finds effects that are there, none that are not, and the command says so."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cli.app import app
from ml.features import FrameError
from ml.ratings import evaluate_ratings, read_ratings

pytestmark = pytest.mark.slow


def made_up(rows=3000, *, effect=1.0, seed=0) -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    student, tutor, place = rng.integers(0, 150, rows), rng.integers(0, 60, rows), rng.integers(0, 3, rows)
    mean = 3 + effect * (0.4 * rng.normal(size=150)[student] + 0.8 * rng.normal(size=60)[tutor])
    rating = np.clip(np.round(mean + rng.normal(size=rows)), 1, 5).astype(int)
    return {
        "ratings": pd.DataFrame(
            {"student_id": student, "tutor_id": tutor, "place": place, "comment": np.arange(rows), "rating": rating}
        ),
        "students": pd.DataFrame({"student_id": range(150), "year": np.arange(150) % 4}),
        "tutors": pd.DataFrame({"tutor_id": range(60), "place": np.arange(60) % 3}),
    }


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    paths = {name: tmp_path / f"{name}.csv.gz" for name in ("ratings", "students", "tutors")}
    for name, frame in made_up().items():
        frame.to_csv(paths[name], index=False)
    return paths


@pytest.mark.soak
def test_the_command_prints_figures_of_all_predictors(files):
    options = [part for name, path in files.items() for part in (f"--{name}", str(path))]
    answer = CliRunner().invoke(app, ["evaluate-matching", *options, "--folds", "3", "--seed", "4", "--json"])
    assert answer.exit_code == 0, answer.output
    figures = json.loads(answer.stdout)
    assert figures["model"]["auc"] > 0.70
    assert figures["model"]["auc"] > figures["student_history_only"]["auc"] > 0.55
    assert figures["baseline"]["auc"] > figures["tutor_history_only"]["auc"]
    assert figures["rules"]["auc"] == 0.5
    assert (figures["folds"], figures["seed"], figures["model"]["rows"]) == (3, 4, 3000)
    assert sum(figures["influence"].values()) == pytest.approx(1)
    assert "comment" not in figures["influence"]

    read = read_ratings(files["ratings"], files["students"], files["tutors"])
    assert {"year", "place_tutor"} <= set(read.columns)
    again = evaluate_ratings(read, number_of_folds=3, seed=4)
    assert {**again, "seconds": 0} == {**figures, "seconds": 0}


def test_where_nothing_is_to_be_found_nothing_is(files):
    frame = made_up(effect=0.0, seed=2)["ratings"]
    figures = evaluate_ratings(frame, number_of_folds=3, seed=0)
    assert abs(figures["model"]["auc"] - 0.5) < 0.04
    assert abs(figures["sum_of_effects"]["auc"] - 0.5) < 0.04


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.assign(rating="good"), "rows without a number"),
        (lambda f: f.assign(rating=5), "same side of 2"),
        (lambda f: f.head(30), "too few for 3 folds"),
        (lambda f: f.head(0), "there are no ratings"),
    ],
)
def test_ratings_nobody_can_learn_from_are_refused(change, said):
    with pytest.raises(FrameError, match=said):
        evaluate_ratings(change(made_up()["ratings"]), number_of_folds=3)


def test_the_command_says_what_is_wrong_with_a_file(files, tmp_path):
    options = [part for name, path in files.items() for part in (f"--{name}", str(path))]
    options[1] = str(files["students"])
    answer = CliRunner().invoke(app, ["evaluate-matching", *options])
    assert answer.exit_code == 1
    assert "column tutor_id is missing" in " ".join(answer.output.split())
    options[1] = str(tmp_path / "absent.csv")
    assert "cannot read" in " ".join(CliRunner().invoke(app, ["evaluate-matching", *options]).output.split())
