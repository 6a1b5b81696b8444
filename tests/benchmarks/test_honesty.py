"""Do forecasts come true where the truth is known, and what would somebody have right who knows all rates?"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from benchmarks.honesty import AS_ASSUMED, attainable, by_chance, checks_of_world
from tests import worlds
from verify.recompute.fairness import wilson

LIMIT = 0.15


@pytest.mark.parametrize("make", [worlds.steady, worlds.drifting, worlds.jumping, worlds.with_sick_spells])
def test_what_perfect_knowledge_reaches_is_found_without_the_truth(
    make: Callable[[int, int, int], worlds.World],
) -> None:
    world = make(600, 360, 4)
    months = [slice(day, day + 30) for day in range(0, 360, 30)]
    n, k = (
        np.concatenate([counts[:, month].sum(axis=1) for month in months])
        for counts in (world.sessions, world.let_downs)
    )
    in_truth = world.rates * world.sessions
    rate = np.concatenate([in_truth[:, month].sum(axis=1) for month in months]) / np.maximum(n, 1)
    judged = n >= 20
    n, k, rate = n[judged], k[judged], rate[judged]
    is_above = k / n > LIMIT
    is_high = rate > LIMIT
    as_many = np.argsort(-rate)[: is_high.sum() // 3]

    known = attainable(n, k, len(as_many), LIMIT)

    assert known.right == pytest.approx(is_above[is_high].mean(), abs=0.06)
    assert known.missed == pytest.approx(is_above[~is_high].mean(), abs=0.02)
    assert known.right_of_as_many == pytest.approx(is_above[as_many].mean(), abs=0.10)
    assert known.right_of_as_many > known.right


def test_rates_of_exactly_the_limit_are_not_above_it() -> None:
    """3 of 20 is 15%: with a true rate of 100% or 0% there is no chance, and nothing is in between."""
    n = np.full(100, 20)
    k = np.where(np.arange(100) < 30, 20, 0)
    known = attainable(n, k, 30, LIMIT)
    assert known.right == pytest.approx(1, abs=1e-6)
    assert known.missed == pytest.approx(0, abs=1e-6)
    assert known.right_of_as_many == pytest.approx(1, abs=1e-6)


def test_nobody_above_the_limit_leaves_no_flag_to_be_right() -> None:
    known = attainable(np.full(50, 400), np.full(50, 4), 0, LIMIT)
    assert np.isnan(known.right_of_as_many)
    assert known.missed == pytest.approx(0, abs=1e-3)


@pytest.fixture(scope="module")
def as_assumed() -> pd.DataFrame:
    """Weekly checks in a world that is as the model says."""
    return checks_of_world(AS_ASSUMED, 800, 5, days_apart=7)


def test_forecasts_come_true_where_the_model_is(as_assumed: pd.DataFrame) -> None:
    bands = by_chance(as_assumed)
    assert len(bands) == 10
    assert bands["checks"].min() > 500
    assert bands["came"].to_numpy() == pytest.approx(bands["said"].to_numpy(), abs=0.06)
    assert as_assumed["is_covered"].mean() == pytest.approx(as_assumed["inside"].mean(), abs=0.01)


def test_the_chance_of_a_true_rate_is_not_that_of_a_month(as_assumed: pd.DataFrame) -> None:
    """Of tutors with a 65% chance that their true rate is above the limit, fewer have such a month, by chance alone."""
    band = by_chance(as_assumed, "probability").loc[6]
    assert band["said"] < 0.57
    assert band["low"] < band["said"] < band["high"]


def test_intervals_of_checks_that_share_days_hold_the_truth(as_assumed: pd.DataFrame) -> None:
    """Of platforms of 50 tutors, where bands have few checks; as if independent, checks would promise too much."""
    bands = pd.concat([by_chance(platform) for _, platform in as_assumed.groupby(as_assumed["tutor"] // 50)])
    naive = np.array([wilson(came, checks) for came, checks in zip(bands["came"], bands["checks"], strict=True)])
    held = bands["said"].between(bands["low"], bands["high"]).mean()
    assert held >= 0.94
    assert bands["said"].between(*naive.T).mean() < 0.9


@pytest.mark.parametrize("world", ["drifting", "jumping", "sick spells"])
def test_forecasts_come_nearly_true_where_rates_move(world: str) -> None:
    bands = by_chance(checks_of_world(world, 1_000, 5))
    usual = bands[bands["checks"] >= 100]
    assert len(usual) >= 5
    assert usual["came"].to_numpy() == pytest.approx(usual["said"].to_numpy(), abs=0.13)
