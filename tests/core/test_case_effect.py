"""Whether talks help is told rightly where it is known: in worlds in which they do nothing, and in which they do."""

import functools
from typing import NamedTuple

import numpy as np
import pytest
from scipy import stats

from benchmarks import effect
from benchmarks.effect import Cases
from core.case_effect import CASES_NEEDED, Arm, expected_let_downs, rate_ratio
from tests import worlds

SEED = 15
# So many worlds of each kind: every interval misses the truth once in twenty, and a few worlds more often by chance.
GATE, NIGHT = 50, 200


class Worlds(NamedTuple):
    """So many worlds of a kind, and the cases in them."""

    kind: str
    number: int
    cases: Cases


@functools.cache
def made(kind: str, number: int) -> Worlds:
    return Worlds(kind, number, effect.opened_cases(kind, number, SEED))


@pytest.fixture(
    params=[
        ("drifting", GATE),
        ("sick spells", GATE),
        *(pytest.param((kind, NIGHT), marks=pytest.mark.soak) for kind in worlds.WORLDS),
    ],
    ids=lambda param: f"{param[1]} {param[0]}",
)
def some(request: pytest.FixtureRequest) -> Worlds:
    return made(*request.param)


def arm(sessions: list[float], let_downs: list[float]) -> Arm:
    return Arm(np.array(sessions), np.array(let_downs))


# --- worlds ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_talk_that_does_nothing_shows_no_effect(some: Worlds) -> None:
    answers = effect.by_world(some.cases, SEED)
    assert sum(answer.ratio is not None for answer in answers) >= 0.9 * some.number
    assert effect.coverage(answers) >= 0.9
    assert effect.estimate(answers) == pytest.approx(1, abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(("per_arm", "share"), [(10, 0.1), (40, 0.5), (80, 0.9)])
def test_a_talk_that_spares_30_percent_is_found(some: Worlds, per_arm: int, share: float) -> None:
    """With 10 cases in each arm seldom, with 80 nearly always; the estimate is right with any number."""
    answers = effect.by_number(some.cases, per_arm, some.number, SEED, effect.HELPS)
    assert effect.found(answers) >= share
    assert effect.coverage(answers, effect.HELPS) >= 0.9
    assert effect.estimate(answers) == pytest.approx(effect.HELPS, abs=0.05)


@pytest.mark.slow
def test_before_against_after_would_claim_that_nothing_helps(some: Worlds) -> None:
    least, most = {
        "steady": (-0.25, -0.1),
        "drifting": (-0.2, -0.08),
        "sick spells": (-0.35, -0.15),
        "seasonal": (-0.45, -0.25),
        # Many of these have become worse for good.
        "jumping": (-0.1, 0.1),
    }[some.kind]
    assert least <= some.cases.before_after <= most


@pytest.mark.slow
def test_without_any_talk_let_downs_are_as_expected(some: Worlds) -> None:
    answers = effect.by_world(some.cases, SEED)
    assert effect.fewer_than_expected(answers) <= 0.1
    # Where tutors have just become worse for good, more is let down than long evidence says: nobody is flattered.
    if some.kind != "jumping":
        assert effect.as_expected(answers) >= 0.9


# --- figures --------------------------------------------------------------------------------------------------------


def test_the_ratio_is_that_of_the_sums() -> None:
    now = arm([10.0] * 10 + [100], [1.0] * 5 + [2] * 5 + [10])
    later = arm([20.0] * 10, [3.0] * 5 + [5] * 5)
    found = rate_ratio(now, later)
    assert found is not None
    assert found.ratio == pytest.approx((25 / 200) / (40 / 200))
    # The sums of squares by hand: residuals to a rate of 1/8 with weights 1/20 and 1/2, and to one of 1/5.
    first = (5 * (0.25 / 0.95) ** 2 + 5 * (0.75 / 0.95) ** 2 + (2.5 / 0.5) ** 2) / 25**2
    second = 10 * (1 / 0.9) ** 2 / 40**2
    freedom = (first + second) ** 2 / (first**2 / 10 + second**2 / 9)
    reach = stats.t.ppf(0.975, freedom) * np.sqrt(first + second)
    assert np.log([found.low, found.high]) == pytest.approx(np.log(found.ratio) + np.array([-reach, reach]))


def test_the_interval_is_about_that_of_the_jackknife() -> None:
    rng = np.random.default_rng(3)
    sessions = rng.poisson(40, 30).astype(float)
    let_downs = rng.binomial(sessions.astype(int), 0.2).astype(float)
    whole = Arm(sessions, let_downs)
    without = [np.log(Arm(np.delete(sessions, i), np.delete(let_downs, i)).rate) for i in range(30)]
    jackknife = 29 / 30 * np.sum((np.array(without) - np.mean(without)) ** 2)
    assert whole.log_variance == pytest.approx(jackknife, rel=0.1)


def test_arms_swapped_give_the_inverse() -> None:
    now, later = arm([10.0] * 12, [1.0, 2, 3] * 4), arm([10.0] * 10, [3.0, 4] * 5)
    there, back = rate_ratio(now, later), rate_ratio(later, now)
    assert there is not None
    assert back is not None
    assert (there.ratio, there.low, there.high) == pytest.approx((1 / back.ratio, 1 / back.high, 1 / back.low))


@pytest.mark.parametrize(
    ("sessions", "let_downs"),
    [
        ([10.0] * (CASES_NEEDED - 1), [1.0] * (CASES_NEEDED - 1)),
        ([10.0] * (CASES_NEEDED - 1) + [0], [1.0] * (CASES_NEEDED - 1) + [0]),
        ([10.0] * CASES_NEEDED, [0.0] * CASES_NEEDED),
        ([], []),
    ],
    ids=["too few", "too few with sessions", "no let-downs", "none"],
)
def test_nothing_is_said_without_enough(sessions: list[float], let_downs: list[float]) -> None:
    enough = arm([10.0] * CASES_NEEDED, [1.0, 2] * (CASES_NEEDED // 2))
    assert rate_ratio(enough, enough) is not None
    assert rate_ratio(arm(sessions, let_downs), enough) is None
    assert rate_ratio(enough, arm(sessions, let_downs)) is None


def test_cases_that_are_all_alike_have_no_interval() -> None:
    alike = arm([10.0] * CASES_NEEDED, [1.0] * CASES_NEEDED)
    assert rate_ratio(alike, alike) is None


def test_expected_let_downs_have_the_spread_of_their_beta_binomials() -> None:
    """Against draws of each rate and then of each count; what all have in common is drawn, too."""
    rng = np.random.default_rng(5)
    sessions, rate, deviation = rng.poisson(30, 25), rng.uniform(0.15, 0.35, 25), 0.06
    variance = sessions * (rate * (1 - rate) + (sessions - 1) * deviation**2)
    found = expected_let_downs(sessions * rate, variance)
    assert found is not None
    weight = rate * (1 - rate) / deviation**2 - 1
    common = rng.normal(1, 0.1, (20_000, 1))
    rates = np.clip(rng.beta(rate * weight, (1 - rate) * weight, (20_000, 25)) * common, 0, 1)
    sums = rng.binomial(sessions, rates).sum(axis=1)
    assert found.let_downs == pytest.approx((sessions * rate).sum())
    assert [found.low, found.high] == pytest.approx(np.quantile(sums, [0.025, 0.975]), rel=0.03)


def test_nothing_is_expected_of_few_cases() -> None:
    few = np.array([2.0] * (CASES_NEEDED - 1) + [0])
    assert expected_let_downs(few, few) is None
    assert expected_let_downs(np.array([]), np.array([])) is None
