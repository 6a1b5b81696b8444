"""Training keeps its promises: it learns what is there, nothing from noise, and the same from the same."""

import json
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest

from ml.explain import contributions
from ml.features import MATCH, SESSION, FrameError, feature_matrix
from ml.model import log_odds
from ml.pairs import Students, Tutors, matrix, score
from ml.plots import plots
from ml.rules import MatchRules, rules_for
from ml.store import ModelStore, model_bytes
from ml.training import train

pytestmark = pytest.mark.slow


def test_a_model_that_found_something_is_promoted(candidate):
    assert candidate.is_promoted, candidate.reason
    metrics = candidate.metrics
    assert metrics["model"]["auc"] > metrics["baseline"]["auc"] > metrics["rules"]["auc"] > 0.55
    assert metrics["model"]["log_loss"] < metrics["baseline"]["log_loss"]
    assert abs(metrics["model"]["predicted"] - metrics["model"]["observed"]) < 0.04
    assert "log loss" in candidate.reason
    assert candidate.faults == frozenset()
    assert sum(metrics["influence"].values()) == pytest.approx(1)
    assert metrics["influence"]["pace_mismatch"] > 0.1


def test_the_parts_follow_each_other_in_time(candidate, matches):
    split = candidate.metrics["split"]
    assert split["train_rows"] + split["test_rows"] == len(matches)
    days = matches["first_session_at"].dt.date.astype(str)
    assert (days >= split["test_from"]).sum() == split["test_rows"]
    assert candidate.trained_rows == split["train_rows"]
    assert (str(candidate.data_from), str(candidate.data_to)) == (days.min(), days.max())


def test_metrics_are_json_and_cover_bands_and_subgroups(candidate):
    assert json.loads(json.dumps(candidate.metrics, allow_nan=False)) == candidate.metrics
    json.dumps(candidate.parameters, allow_nan=False)
    model = candidate.metrics["model"]
    assert [band["risk_level"] for band in model["risk_bands"]] == ["low", "medium", "high"]
    assert sum(band["rows"] for band in model["risk_bands"]) == model["rows"]
    groups = {(group["by"], group["group"]) for group in model["subgroups"]}
    assert {("student_age", "under 10"), ("student_age", "13-15"), ("subject", "Maths")} <= groups
    assert sum(group["rows"] for group in model["subgroups"] if group["by"] == "subject") == model["rows"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_is_learnt_from_shuffled_labels(make_matches, trained, seed):
    frame = make_matches(3000, seed=seed)
    frame["churned"] = np.random.default_rng(seed).permutation(frame["churned"])
    answer = trained(frame)
    assert not answer.is_promoted
    assert "chance" in answer.faults


@pytest.mark.slow
def test_the_same_rows_in_any_order_give_the_same_file(make_matches, trained):
    frame = make_matches(1500, seed=5)
    one, other = trained(frame), trained(frame.sample(frac=1, random_state=2))
    assert model_bytes(one.model.booster) == model_bytes(other.model.booster)
    assert one.model.version == other.model.version
    changed = frame.copy()
    changed.loc[0, "churned"] = not changed.loc[0, "churned"]
    assert trained(changed).model.version != one.model.version


def test_the_same_model_again_stays_champion(make_matches, trained):
    frame = make_matches(1500, seed=5)
    again = trained(frame, champion=trained(frame).model)
    assert again.is_promoted
    assert "same as the champion" in again.reason


def test_a_challenger_worse_than_the_champion_is_not_promoted(candidate, matches, trained):
    """Half of what the challenger learns from is noise; the rows both are judged by are not."""
    blurred = matches.sort_values("first_session_at").copy()
    rng = np.random.default_rng(0)
    early = np.arange(len(blurred)) < 0.85 * len(blurred)
    noise = early & (rng.random(len(blurred)) < 0.5)
    blurred.loc[noise, "churned"] = rng.random(noise.sum()) < 0.3
    answer = trained(blurred, champion=candidate.model)
    assert not answer.is_promoted
    assert f"worse than the champion {candidate.model.version}" in answer.reason
    assert "champion" in answer.faults
    assert answer.metrics["champion"]["log_loss"] < answer.metrics["model"]["log_loss"]


def test_a_champion_of_other_features_is_not_compared(make_matches, trained, candidate):
    old = replace(candidate.model, features=(*candidate.model.features[:-1], "shoe_size"))
    assert "champion" not in trained(make_matches(1500, seed=5), champion=old).metrics


class EarlierRules(MatchRules):
    """Of a version that knew no pending meetings, no let-downs and no ratings of all time."""

    features = tuple(
        name
        for name in MATCH.names
        if name not in ("student_pending_meetings", "tutor_let_down_rate", "tutor_rating_all_time")
    )


def test_a_champion_of_fewer_features_goes_on_answering_and_is_compared(make_matches, trained, tmp_path):
    frame, rng = make_matches(1500, seed=5), np.random.default_rng(0)
    earlier = replace(MATCH, features=tuple(each for each in MATCH.features if each.name in EarlierRules.features))
    made = train(earlier, frame, seed=1, champion=None, rules=EarlierRules()).model
    store = ModelStore(str(tmp_path))
    old, new = store.load(store.save(made)), trained(frame, champion=made)
    assert old.features == EarlierRules.features
    compared = new.metrics["champion"]
    assert (compared["version"], compared["rows"]) == (old.version, new.metrics["model"]["rows"])

    students, tutors = (
        kind(ids(count), *(rng.uniform(1, 5, count) for _ in fields(kind)[1:]))
        for kind, count in ((Students, 3), (Tutors, 4))
    )
    known = [MATCH.names.index(name) for name in old.features if name != "lead_hours"]
    asked = matrix(old, students, tutors)
    assert np.array_equal(asked[:, :-1], matrix(new.model, students, tutors)[:, known])
    assert set(asked[:, -1]) == {np.float32(old.fill["lead_hours"])}
    [block] = score(old, students, tutors)
    assert block.probability == pytest.approx(old.predict(asked), abs=1e-6)
    for amounts, said in zip(old.contributions(asked), contributions(old, asked), strict=True):
        assert len(said) > 3
        assert all(each.contribution == amounts[old.features.index(each.feature)] for each in said)


def ids(count):
    return np.arange(16 * count, dtype=np.uint8).reshape(count, 16)


@pytest.mark.parametrize("feature", [feature for feature in MATCH.features if feature.monotone], ids=lambda f: f.name)
def test_what_must_not_lower_churn_never_does(candidate, matches, feature):
    rows = feature_matrix(MATCH.names, matches.head(300))
    position = MATCH.names.index(feature.name)
    known = rows[:, position][~np.isnan(rows[:, position])]
    steps = np.linspace(known.min() - 1, known.max() + 1, 25)
    before = None
    for step in steps:
        rows[:, position] = step
        churn = feature.monotone * candidate.model.predict(rows)
        assert before is None or (churn >= before).all()
        before = churn
    rows[:, position] = steps[0]
    if feature.name == "pace_mismatch":  # one that drives churn in these rows
        assert (before > feature.monotone * candidate.model.predict(rows)).any()


def test_contributions_sum_to_the_log_odds(candidate, matches):
    rows = feature_matrix(MATCH.names, matches.head(500))
    for model in (candidate.model, rules_for(MATCH)):
        parts = model.contributions(rows)
        assert parts.shape == (500, len(MATCH.features) + 1)
        assert parts.sum(axis=1) == pytest.approx(log_odds(model.predict(rows)), abs=1e-9)
    assert candidate.model.contributions(rows[:0]).shape == (0, len(MATCH.features) + 1)


def test_unknown_features_have_a_prediction(candidate):
    nothing = np.full((1, len(MATCH.features)), np.nan, dtype=np.float32)
    assert 0 < candidate.model.predict(nothing)[0] < 1
    assert candidate.model.predict(nothing[:0]).shape == (0,)
    with pytest.raises(ValueError, match="takes"):
        candidate.model.predict(nothing[:, :3])


def test_lead_hours_are_filled_with_the_median_of_training(candidate, matches):
    early = matches.sort_values("first_session_at").head(candidate.trained_rows)
    assert candidate.model.fill == {"lead_hours": pytest.approx(early["lead_hours"].median(), rel=0.01)}


@pytest.mark.parametrize("rows", [0, 1, 199])
def test_too_few_rows_give_no_model(make_matches, trained, rows):
    answer = trained(make_matches(rows))
    assert (answer.model, answer.is_promoted, answer.trained_rows) == (None, False, 0)
    assert f"only {rows} labelled rows" in answer.reason
    assert answer.metrics["rules"]["rows"] == rows
    assert plots(answer) == {}


@pytest.mark.parametrize("outcome", [True, False])
def test_one_class_gives_no_model(make_matches, trained, outcome):
    answer = trained(make_matches(300).assign(churned=outcome))
    assert answer.model is None
    assert "all 300 rows have the same outcome" in answer.reason
    json.dumps(answer.metrics, allow_nan=False)


def test_one_class_in_a_part_of_the_time_gives_no_model(make_matches, trained):
    frame = make_matches(400)
    frame["churned"] = frame["first_session_at"] > pd.Timestamp("2025-07-01", tz="UTC")
    answer = trained(frame)
    assert answer.model is None
    assert "too few outcomes" in answer.reason


def test_one_day_of_rows_gives_no_model(make_matches, trained):
    answer = trained(make_matches(400).assign(first_session_at=pd.Timestamp("2025-07-01", tz="UTC")))
    assert answer.model is None


def test_test_rows_of_one_class_cannot_promote(make_matches, trained):
    frame = make_matches(1500)
    frame.loc[frame["first_session_at"] > pd.Timestamp("2025-06-15", tz="UTC"), "churned"] = False
    answer = trained(frame)
    assert not answer.is_promoted
    assert "too few test rows to judge" in answer.reason
    assert answer.faults == {"too_little"}
    assert answer.metrics["model"]["auc"] is None


def test_features_nobody_knows_are_no_hindrance(make_matches, trained):
    frame = make_matches(1500)
    for name in (*MATCH.names[:4], "lead_hours"):
        frame[name] = np.nan
    answer = trained(frame)
    assert answer.model is not None
    assert answer.model.fill == {"lead_hours": 0.0}


def test_sessions_are_learnt_by_the_same_machinery(make_sessions):
    answer = train(SESSION, make_sessions(3000), seed=0, champion=None, rules=rules_for(SESSION))
    assert answer.model is not None
    assert answer.model.version.startswith("session-")
    assert answer.metrics["rules"]["auc"] > 0.6


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.drop(columns="tutor_rating"), "column tutor_rating is missing"),
        (lambda f: f.drop(columns="churned"), "column churned is missing"),
        (lambda f: f.drop(columns="student_id"), "column student_id is missing"),
        (lambda f: f.assign(tutor_rating="good"), "column tutor_rating must be a number"),
        (lambda f: f.assign(tutor_rating=np.inf), "column tutor_rating holds an infinite number"),
        (lambda f: f.assign(tutor_rating=f["first_session_at"]), "column tutor_rating must be a number"),
        (lambda f: f.assign(churned=f["churned"].astype("boolean").mask(f.index == 3)), "column churned has 1 rows"),
        (lambda f: f.assign(churned=0.4), "column churned must be true or false"),
        (lambda f: f.assign(first_session_at="soon"), "column first_session_at must be a time"),
        (lambda f: f.assign(first_session_at=pd.NaT), "column first_session_at has 300 rows without"),
        (lambda f: pd.concat([f, f.head(1)]), "two rows have the same"),
    ],
)
def test_a_frame_that_does_not_fit_is_refused_by_column(make_matches, trained, change, said):
    with pytest.raises(FrameError, match=said):
        trained(change(make_matches(300)))


def test_plots_are_png(candidate):
    drawn = plots(candidate)
    assert set(drawn) == {"calibration", "influence", "score_histogram"}
    assert all(image.startswith(b"\x89PNG") for image in drawn.values())
