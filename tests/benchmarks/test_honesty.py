"""What somebody who knows all rates would have right: by counts alone, and by the truth of made-up worlds."""

from collections.abc import Callable

import numpy as np
import pytest

from benchmarks.honesty import attainable
from tests import worlds

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
