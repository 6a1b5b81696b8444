"""Estimates of policies: against numbers worked out by hand, and reasons where nobody can tell."""

from itertools import permutations
from typing import Any

import numpy as np
import pytest

from ml.offers import Order, candidates, draw, lottery_of, shares, slate_propensities
from ml.policy import (
    LEAST_CELLS,
    NOT_AS_DRAWN,
    Slates,
    compare_holdout,
    evaluate,
    expected_squares,
    mean_and_margin,
    slates_of,
)
from tests.ml.test_offers import some


def rows(count: int, share: float, seed: int = 0, size: int = 2, rate: float = 0.3) -> list[dict[str, Any]]:
    """Slates of as many students, of whom each begins with the model's first tutor at this rate, and with others at a
    third of it."""
    rng = np.random.default_rng(seed)
    made = []
    for student in range(count):
        among = candidates(*some(6, seed=student), size)
        lottery = lottery_of("model", share)
        drawn = draw(among, size, lottery, student)
        started = [float(rng.random() < (rate if at == 0 else rate / 3)) for at in drawn.places]
        made.append(
            {
                "student_id": student,
                "lottery": lottery,
                "candidate_churn": among.churn.tolist(),
                "candidate_rules": among.rules.tolist(),
                "shown": drawn.places.tolist(),
                "started": started,
                "continued": started,
            }
        )
    return made


def test_as_it_was_offered_is_the_mean_but_for_noise_that_the_model_takes_out() -> None:
    slates = slates_of(rows(2_000, 0.4))
    found = evaluate(slates, "started")["offered", None]
    assert found.estimate == pytest.approx(slates.total("started").mean(), abs=0.01)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.estimate < found.high
    assert (found.slates, found.students, found.effective, found.largest_weight) == (2_000, 2_000, 2_000, 1)


def test_what_the_model_is_worth_is_found_with_its_interval() -> None:
    found = evaluate(slates_of(rows(3_000, 0.5)), "started")
    model, chance = found["model", None], found["chance", None]
    assert model.low is not None
    assert model.high is not None
    # The model shows its first at the first place and its second at the second one: 0.3 + 0.1; chance shows the first
    # one at either place one time in six.
    assert model.low < 0.4 < model.high
    assert chance.low is not None
    assert chance.high is not None
    assert chance.low < 2 * (0.3 / 6 + 0.1 * 5 / 6) < chance.high
    difference = found["model", "rules"]
    assert difference.low is not None
    assert difference.low > 0


def test_a_wrong_model_of_the_outcome_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    slates = slates_of(rows(3_000, 0.5))
    monkeypatch.setattr("ml.policy._expected", lambda *_: np.full((3_000, 2, slates.churn.shape[1]), 0.9))
    found = evaluate(slates, "started")["model", None]
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.4 < found.high


def test_without_exploration_nobody_can_tell_what_others_would_have_come_to() -> None:
    found = evaluate(slates_of(rows(500, 0.0)), "started")
    for key in (("rules", None), ("chance", None), ("model", "rules"), ("offered", "rules")):
        each = found[key]
        assert each.estimate is None
        assert each.reason is not None
        assert each.reason.startswith("none of these offers could have been another one")
        assert each.unsupported == 1
    # What the model itself came to was seen.
    assert found["model", None].can_tell


def test_slates_from_before_exploration_count_for_nothing() -> None:
    before, since = rows(500, 0.0), rows(2_000, 0.5, seed=1)
    found = evaluate(slates_of([*before, *since]), "started")["rules", None]
    assert (found.slates, found.unsupported) == (2_000, 0.2)
    assert found.estimate == pytest.approx(evaluate(slates_of(since), "started")["rules", None].estimate, abs=0.02)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ([], "there is no offer whose outcome is known yet"),
        (rows(20, 0.5), "too few students: 20 of at least 30"),
        (rows(200, 0.5, rate=0.0), "too few outcomes: 0 of 200 slates; at least 10 of either kind are needed"),
        (rows(300, 0.02), "too little overlap"),
    ],
)
def test_why_nobody_can_tell(made: list[dict[str, Any]], reason: str) -> None:
    said = evaluate(slates_of(made), "started")["rules", None].reason
    assert said is not None
    assert said.startswith(reason)


def test_slates_that_were_not_drawn_as_recorded_are_noticed() -> None:
    made = rows(1_000, 0.5)
    for row in made:
        row["shown"] = [0, 1]  # the model's order, always, whatever the lottery
    said = evaluate(slates_of(made), "started")["model", None].reason
    assert said is not None
    assert said.startswith("what was shown does not fit the recorded probabilities")


def test_a_slate_that_could_not_be_drawn_as_recorded_is_noticed() -> None:
    made = rows(500, 0.0)
    made[7]["shown"] = [1, 0]  # the lottery knows the model's order alone
    found = evaluate(slates_of(made), "started", ["offered", "model"])
    for each in (found["offered", None], found["model", None], found["model", "offered"]):
        assert each.estimate is None
        assert each.reason == NOT_AS_DRAWN


def test_a_rare_order_that_has_not_come_up_is_too_little_overlap() -> None:
    made = rows(60, 0.02)
    for row in made:
        row["shown"] = [0, 1]  # as three times in ten: 1% each for the rules and for chance
    found = evaluate(slates_of(made), "started", ["chance"])["chance", None]
    # All weights are alike, which looks like 60 slates of equal weight.
    assert found.effective < 1
    assert found.reason is not None
    assert found.reason.startswith("too little overlap")


def test_slates_on_which_model_and_rules_agree_do_not_speak_for_the_others() -> None:
    made = rows(200, 0.02)
    for row in made[:70]:
        row["candidate_rules"] = row["candidate_churn"]
    for row in made:
        row["shown"] = [0, 1]
    found = evaluate(slates_of(made), "started", ["rules"])["rules", None]
    assert found.effective < 5
    assert found.reason is not None
    assert found.reason.startswith("too little overlap")


@pytest.mark.parametrize("policy", ["model", "rules", "chance"])
@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("rules", [[0, 1, 2, 3], [2, 0, 3, 1]])
def test_squares_of_weights_are_those_of_all_slates_there_are(policy: Order, size: int, rules: list[int]) -> None:
    shown = np.array(list(permutations(range(4), size)))
    by_rules = np.tile(rules, (len(shown), 1))
    wanted, logged = (np.tile(shares(each), (len(shown), 1)) for each in (lottery_of(policy), lottery_of("model", 0.3)))
    chances = slate_propensities(by_rules, shown, logged)
    weights = slate_propensities(by_rules, shown, wanted) / chances
    assert (chances * weights).sum() == pytest.approx(1)
    assert expected_squares(by_rules, size, wanted, logged)[0] == pytest.approx((chances * weights**2).sum())


def test_only_what_was_asked_for_is_estimated() -> None:
    found = evaluate(slates_of(rows(200, 0.5)), "started", ["rules"])
    assert set(found) == {("rules", None), ("model", "rules"), ("offered", "rules")}


def test_an_interval_counts_students_and_not_slates() -> None:
    values, student = np.array([1.0, 0.0, 0.0, 1.0, 1.0, 0.0]), np.arange(6)
    mean, alone = mean_and_margin(values, student)
    assert mean == 0.5
    assert alone == pytest.approx(2.5706 * np.sqrt(1.5 * 6 / 5) / 6, rel=1e-4)
    _, twice = mean_and_margin(np.repeat(values, 2), np.repeat(student, 2))
    assert twice == pytest.approx(alone)


def test_slates_may_differ_in_size_and_candidates() -> None:
    made = [*rows(400, 0.5), *rows(400, 0.5, size=1)]
    slates: Slates = slates_of(made)
    assert sorted(set(slates.size.tolist())) == [1, 2]
    both = evaluate(slates, "started")["model", None]
    alone = [evaluate(slates_of(part), "started")["model", None] for part in (made[:400], made[400:])]
    assert both.estimate == pytest.approx(np.mean([each.estimate for each in alone]), abs=0.02)


def test_cells_that_were_held_out_are_compared_by_cells() -> None:
    rng = np.random.default_rng(5)
    cell = np.repeat(np.arange(60), 40)
    is_held_out = cell % 3 == 0
    busy = rng.normal(size=60)[cell] * 0.1
    totals = (rng.random(len(cell)) < 0.4 + 0.1 * ~is_held_out + busy).astype(np.float64)
    found = compare_holdout(totals, is_held_out, cell)
    assert found.reason is None
    assert found.cells == (20, 40)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.1 < found.high
    # Slates of one cell go together: an interval that takes each for itself would be too narrow.
    naive = compare_holdout(totals, is_held_out, np.arange(len(cell)))
    assert naive.low is not None
    assert naive.high is not None
    assert found.high - found.low > 1.5 * (naive.high - naive.low)


def test_intervals_by_cells_hold_the_truth_although_few_cells_are_held_out() -> None:
    rng, held, told = np.random.default_rng(1), 0, 0
    for _ in range(400):
        week, is_held_out, busy = rng.integers(26, size=900), rng.random(26) < 0.3, rng.normal(size=26) * 0.06
        totals = rng.random(900) < 0.45 + 0.12 * ~is_held_out[week] + busy[week]
        found = compare_holdout(totals.astype(np.float64), is_held_out[week], week)
        if found.low is not None and found.high is not None:
            told += 1
            held += found.low <= 0.12 <= found.high
    assert told > 300
    assert 0.91 < held / told < 0.98


@pytest.mark.parametrize(
    ("held_out", "reason"),
    [(0, "no cell was held out"), (LEAST_CELLS - 1, f"too few cells: {LEAST_CELLS - 1} held out")],
)
def test_why_cells_say_nothing(held_out: int, reason: str) -> None:
    cell = np.repeat(np.arange(20), 10)
    said = compare_holdout(np.ones(200), cell < held_out, cell).reason
    assert said is not None
    assert said.startswith(reason)
