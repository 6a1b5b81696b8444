"""Figures, calibration, drift and promotion on numbers that can be worked out."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.calibrate import Calibration, fit_calibration, recalibration
from ml.drift import Reference, drift, reference
from ml.evaluate import calibration_error, evaluation, reliability, risk_bands, subgroups, summary
from ml.promote import decide
from ml.split import folds, rolling_folds, time_split


def test_summary_by_hand():
    figures = summary(np.array([True, False, True, False]), np.array([0.9, 0.6, 0.5, 0.1]))
    assert figures["auc"] == 0.75
    assert figures["pr_auc"] == pytest.approx((1 + 2 / 3) / 2)
    assert figures["brier"] == pytest.approx((0.01 + 0.36 + 0.25 + 0.01) / 4)
    assert figures["log_loss"] == pytest.approx(-np.log([0.9, 0.4, 0.5, 0.9]).mean())


def test_what_does_not_exist_is_none():
    nothing = evaluation(np.empty(0, dtype=bool), np.empty(0))
    assert (nothing["rows"], nothing["auc"], nothing["log_loss"], nothing["reliability"]) == (0, None, None, [])
    one_class = summary(np.array([True, True]), np.array([1.0, 0.5]))
    assert one_class["auc"] is None
    assert one_class["log_loss"] == pytest.approx(np.log(2) / 2)
    assert np.isfinite(summary(np.array([True]), np.array([0.0]))["log_loss"])


def test_reliability_keeps_equal_probabilities_together():
    label = np.array([True] * 3 + [False] * 7 + [True] * 9 + [False])
    curve = reliability(label, np.repeat([0.3, 0.8], 10))
    assert curve == [
        {"rows": 10, "predicted": pytest.approx(0.3), "observed": pytest.approx(0.3)},
        {"rows": 10, "predicted": pytest.approx(0.8), "observed": pytest.approx(0.9)},
    ]
    error, by_chance = calibration_error(curve)
    assert error == pytest.approx(0.05)
    assert 0.09 < by_chance < 0.12


def test_bands_and_groups_count_every_row():
    label, probability = np.array([True, False, True, False]), np.array([0.1, 0.3, 0.9, 0.7])
    bands = risk_bands(label, probability, 0.3, 0.7)
    assert [(band["risk_level"], band["rows"], band["observed"]) for band in bands] == [
        ("low", 1, 1.0), ("medium", 1, 0.0), ("high", 2, 0.5),
    ]  # fmt: skip
    frame = pd.DataFrame({"student_age": [9, 10, None, 40], "subject": ["b", None, "a", "b"]})
    groups = subgroups(label, probability, frame, ("student_age", "subject", "absent"))
    assert [(group["by"], group["group"], group["rows"]) for group in groups] == [
        ("student_age", "under 10", 1), ("student_age", "10-12", 1), ("student_age", "30 and over", 1),
        ("student_age", "unknown", 1), ("subject", "a", 1), ("subject", "b", 2), ("subject", "unknown", 1),
    ]  # fmt: skip


def test_calibration_undoes_overconfidence():
    rows = 2000
    rng = np.random.default_rng(0)
    truth = rng.normal(-1, 1, rows)
    label = rng.random(rows) < 1 / (1 + np.exp(-truth))
    fitted = fit_calibration(3 * truth + 1, label)
    points = np.array([-2.0, -1.0, 0.0])
    assert fitted.apply(3 * points + 1) == pytest.approx(1 / (1 + np.exp(-points)), abs=0.04)
    assert Calibration.from_dict(fitted.to_dict()) == fitted


@given(st.lists(st.tuples(st.floats(-50, 50), st.booleans()), min_size=1, max_size=60))
def test_calibration_never_turns_the_order_round_or_is_certain(rows):
    margin, label = np.array([m for m, _ in rows]), np.array([y for _, y in rows])
    answer = fit_calibration(margin, label).apply(np.array([-1e6, *np.sort(margin), 1e6]))
    assert (np.diff(answer) >= 0).all()
    assert 0 < answer[0] <= answer[-1] < 1


def test_drift_is_seen_and_named():
    rng = np.random.default_rng(0)
    names = ("steady", "shifted", "lost", "constant")
    then = np.column_stack([rng.normal(size=(5000, 3)), np.ones(5000)]).astype(np.float32)
    now = np.column_stack([rng.normal(size=(2000, 3)), np.ones(2000)]).astype(np.float32)
    stored = reference(names, then)
    assert drift(stored, names, now).drifted == ()
    now[:, 1] += 1
    now[:800, 2] = np.nan
    found = drift(Reference.from_dict(stored.to_dict()), names, now)
    assert found.drifted == ("shifted", "lost")
    assert found.psi["steady"] < 0.05
    assert found.psi["constant"] < 0.01
    assert found.psi["shifted"] > 0.5
    assert drift(stored, names, now[:100]).drifted == ()  # too few rows to tell
    assert np.isfinite(list(drift(stored, names, now[:0]).psi.values())).all()


def test_psi_by_hand():
    half = Reference({"x": (0.5,)}, {"x": (0.5, 0.4999, 0.0001)})
    now = np.repeat([0.0, 1.0], [7500, 2500]).astype(np.float32)[:, np.newaxis]
    assert drift(half, ("x",), now).psi["x"] == pytest.approx(0.25 * np.log(1.5) - 0.25 * np.log(0.5), rel=0.01)


def outcomes(rows=4000):
    rng = np.random.default_rng(3)
    truth = 1 / (1 + np.exp(-rng.normal(-1, 1, rows)))
    return rng.random(rows) < truth, truth


def judged(label, challenger, *, rules=None, baseline=None, champion=None):
    """The decision where rules and baseline know nothing, unless they are given."""
    nothing = np.full(len(label), 0.5)
    return decide(
        label,
        challenger,
        prevalence=0.3,
        rules=nothing if rules is None else rules,
        baseline=("the baseline", nothing if baseline is None else baseline),
        champion=champion,
    )


def test_a_good_challenger_is_promoted_and_the_reason_names_figures():
    label, truth = outcomes()
    answer = judged(label, truth, champion=("match-1", 0.5 * truth + 0.15))
    assert answer.is_promoted
    assert answer.faults == frozenset()
    assert "rules 0.6931" in answer.reason
    assert "champion" in answer.reason


def test_each_reason_to_refuse_is_told():
    label, truth = outcomes()
    blurred = 0.9 * truth + 0.03
    overconfident = 1 / (1 + np.exp(-3 * np.log(truth / (1 - truth))))
    for answer, fault, said in (
        (judged(label, truth[::-1]), "chance", "no better than chance"),
        (judged(label, 0.5 + 0.5 * truth), "chance", "one probability for all"),
        (judged(label, overconfident), "calibration", "badly calibrated"),
        (judged(label, blurred, champion=("match-1", truth)), "champion", "worse than the champion match-1"),
        (judged(label, 0.5 * truth + 0.15, baseline=truth), "baseline", "worse than the baseline"),
        (judged(label, blurred, rules=truth), "baseline", "not surely better than the rules"),
        (judged(label[:0], truth[:0], champion=("match-1", truth[:0])), "too_little", "too few test rows"),
    ):
        assert not answer.is_promoted
        assert fault in answer.faults
        assert said in answer.reason


def test_a_difference_within_noise_counts_against_the_rules_and_not_against_the_baseline():
    """Rows are few: what is a little better than the rules may be so by luck, what is a little worse than the baseline
    may be as good. Towards the champion the plain difference decides."""
    label, truth = outcomes(rows=600)
    odds = np.log(truth / (1 - truth))
    other = 1 / (1 + np.exp(-(odds + np.random.default_rng(8).normal(0, 0.1, len(odds)))))
    worse, better = sorted((truth, other), key=lambda p: -np.log(np.where(label, p, 1 - p)).mean(), reverse=True)
    assert judged(label, worse, baseline=better).is_promoted
    assert judged(label, better, rules=worse).faults == {"baseline"}
    assert judged(label, worse, champion=("match-1", better)).faults == {"champion"}
    assert judged(label, better, champion=("match-1", worse)).is_promoted


def rare(rows=20_000):
    """An outcome of one row in 200 on average."""
    rng = np.random.default_rng(5)
    truth = 1 / (1 + np.exp(-rng.normal(-6, 1.2, rows)))
    return rng.random(rows) < truth, truth


def test_a_rare_outcome_may_not_be_said_never_to_happen():
    """All of it is within 0.05 of the truth."""
    label, truth = rare()
    assert label.mean() < 0.01
    assert judged(label, truth).is_promoted
    for wrong, said in (
        (truth / 1000, "said on average"),
        (np.full(len(label), 1e-9), "0.00% said on average"),
        (3 * truth / (1 + 2 * truth), "said on average"),
        (0.0085 * (truth / 0.0085) ** 3, "differences are overstated"),
    ):
        answer = judged(label, wrong)
        assert "calibration" in answer.faults, answer
        assert said in answer.reason


def test_a_calibration_that_may_be_right_is_not_refused():
    """Of ten events, a ratio of 1.4 and a slope of 0.8 are within chance."""
    label, truth = rare(rows=3000)
    odds = np.log(truth / (1 - truth))
    assert 10 <= label.sum() <= 40
    assert "calibration" not in judged(label, 1 / (1 + np.exp(-(odds + 0.25)))).faults


def test_a_slope_is_found_with_its_error():
    label, truth = outcomes(rows=20_000)
    odds = np.log(truth / (1 - truth))
    slope, error = recalibration(label, odds)
    assert slope == pytest.approx(1, abs=3 * error)
    half, _ = recalibration(label, 2 * odds + 1)
    assert half == pytest.approx(slope / 2, rel=1e-4)
    # Every row ten times over says as much as once, if rows of one group are one piece of evidence.
    again = np.repeat(np.arange(len(label)), 10)
    repeated = recalibration(label[again], odds[again], again)
    assert repeated == pytest.approx((slope, error), rel=1e-3)
    assert recalibration(label[again], odds[again])[1] < error / 3
    assert recalibration(label, np.zeros(len(label))) is None
    assert recalibration(np.zeros(5, dtype=bool), np.arange(5.0)) is None


def test_a_model_that_tells_all_rows_apart_is_not_refused_for_its_slope():
    """The slope that fits best is infinite there, whatever was said."""
    label = np.arange(60) < 20
    said = np.where(label, 0.9, 0.05)
    assert recalibration(label, np.log(said / (1 - said))) is None
    answer = judged(label, said)
    assert answer.is_promoted, answer.reason


def test_one_probability_for_all_is_not_promoted_though_it_is_calibrated():
    label, _ = outcomes()
    answer = judged(label, np.full(len(label), label.mean()), rules=np.full(len(label), 0.9))
    assert answer.faults == {"chance"}


def test_rows_of_one_person_are_not_as_much_evidence_as_those_of_many():
    """40 people, each a hundred times: what looks sure of 4,000 rows may be luck with people."""
    people = np.repeat(np.arange(40), 100)
    # Of those with the outcome, the guesses are from 0.32 to 0.7, of the others from 0.28 to 0.66.
    label = (np.arange(40) % 2 == 1)[people]
    guess = (0.28 + 0.02 * (np.arange(40) // 2) + 0.04 * (np.arange(40) % 2))[people]
    chosen = {"prevalence": 0.5, "rules": np.full(4000, 0.5), "baseline": ("b", np.full(4000, 0.5)), "champion": None}
    alone, together = decide(label, guess, **chosen), decide(label, guess, **chosen, groups=people)
    assert "no better than chance" in together.reason
    assert "no better than chance" not in alone.reason
    few = decide(label[:800], guess[:800], **chosen | {
        "rules": np.full(800, 0.5), "baseline": ("b", np.full(800, 0.5))}, groups=people[:800])  # fmt: skip
    assert "too few people" in few.reason


@pytest.mark.slow
@pytest.mark.parametrize("rows", [300, 2000])
def test_chance_is_not_promoted_though_the_rules_are_worse(rows):
    """Rules that are far off are beaten by anything; knowing nothing is not enough all the same."""
    rng = np.random.default_rng(rows)
    promoted = 0
    for _ in range(300):
        label = rng.random(rows) < 0.25
        guess = 1 / (1 + np.exp(-(np.log(1 / 3) + rng.normal(0, 0.05, rows))))
        promoted += judged(label, guess, rules=np.full(rows, 0.6)).is_promoted
    assert promoted == 0


@given(st.lists(st.integers(0, 30), max_size=80))
def test_a_time_split_is_in_order_and_cuts_no_day(days):
    ordered = np.sort(np.array(days, dtype="int64")).astype("datetime64[D]").astype("datetime64[us]")
    split = time_split(ordered)
    parts = [ordered[split.train], ordered[split.test]]
    assert sum(len(part) for part in parts) == len(days)
    filled = [part for part in parts if len(part)]
    assert all(one[-1] < other[0] for one, other in pairwise(filled))


@given(st.lists(st.integers(0, 30), max_size=80), st.integers(1, 3))
def test_what_is_watched_is_later_than_what_was_learnt(days, every):
    ordered = np.sort(np.array(days, dtype="int64")).astype("datetime64[D]").astype("datetime64[us]")
    for learnt, watched in rolling_folds(ordered, every=every):
        assert ordered[learnt][-1] < ordered[watched][0]
        assert ordered[learnt.start : learnt.stop][-1] < ordered[watched][0]


def test_nothing_is_learnt_that_was_not_known_when_it_is_watched():
    """Every day a row, of which the outcome is known 10 days later."""
    days = np.arange(100).astype("datetime64[D]").astype("datetime64[us]")
    known = days + np.timedelta64(10, "D")
    split = time_split(days, known)
    assert (split.train, split.test) == (slice(0, 76), slice(85, 100))
    assert known[split.train][-1] <= days[split.test][0]
    folds_found = rolling_folds(days[split.train], known[split.train])
    assert len(folds_found) == 3
    for learnt, watched in folds_found:
        assert known[learnt][-1] <= days[watched][0]
        assert known[learnt.stop] > days[watched][0]
    assert rolling_folds(days[:20], days[:20] + np.timedelta64(30, "D")) == []


def test_folds_are_all_rows_once_and_by_seed():
    parts = folds(103, 5, seed=0)
    assert sorted(np.concatenate(parts).tolist()) == list(range(103))
    assert {len(part) for part in parts} == {20, 21}
    assert all(np.array_equal(one, other) for one, other in zip(parts, folds(103, 5, seed=0), strict=True))
    assert not np.array_equal(parts[0], folds(103, 5, seed=1)[0])
