"""The change filter against a plain loop and numbers worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tests import worlds
from verify.recompute.change_filter import ChangeFilter, design_effect, grid
from verify.recompute.evidence import BetaMixture

LIMIT = 0.15
PRIOR = BetaMixture(np.array([0.9, 0.1]), np.array([8.0, 1.0]), np.array([92.0, 3.0]))
FILTER = ChangeFilter.of_prior(PRIOR, LIMIT)


@pytest.mark.parametrize("limit", [0.03, 0.15, 0.4])
def test_the_limit_is_the_edge_between_the_tenth_and_eleventh_rate(limit: float) -> None:
    rates, edges = grid(limit)
    assert len(rates) == 22
    assert edges[10] == limit
    assert (edges[:-1] < rates).all()
    assert (rates < edges[1:]).all()
    odds = rates / (1 - rates)
    assert odds[0] / (0.01 / 0.99) == pytest.approx(limit / (1 - limit) / (0.15 / 0.85))


def test_the_start_is_the_mass_of_the_prior() -> None:
    assert FILTER.start.sum() == pytest.approx(1)
    assert FILTER.start[10:].sum() == pytest.approx(PRIOR.exceeds(LIMIT))
    assert FILTER.start[0] == pytest.approx(0.9 * stats.beta.cdf(0.015, 8, 92) + 0.1 * stats.beta.cdf(0.015, 1, 3))
    assert FILTER.after_a_jump[0] == pytest.approx((FILTER.start[0] + 1 - 0.985**5) / 2)


@pytest.mark.parametrize("phi", [1.0, 1.6])
def test_days_by_a_plain_loop(phi: float) -> None:
    sessions, let_downs = [0, 3, 0, 0, 2, 1, 0], [0, 1, 0, 0, 0, 1, 0]
    rates = grid(LIMIT).rates
    jump_to = [
        0.5 * p + 0.5 * float(b)
        for p, b in zip(FILTER.start, np.diff(stats.beta(1, 5).cdf(grid(LIMIT).edges)), strict=True)
    ]
    weights, last, expected = list(FILTER.start), None, []
    for day, (n, k) in enumerate(zip(sessions, let_downs, strict=True)):
        if n:
            h = 0 if last is None else 1 - (1 - 1 / 180) ** (day - last)
            weights = [
                ((1 - h) * w + h * q) * g ** (k / phi) * (1 - g) ** ((n - k) / phi)
                for w, q, g in zip(weights, jump_to, rates, strict=True)
            ]
            weights = [w / sum(weights) for w in weights]
            last = day
        expected.append(np.nan if last is None else sum(weights[10:]))
    run = ChangeFilter.of_prior(PRIOR, LIMIT, phi).run([sessions], [let_downs])
    assert run.probability[0] == pytest.approx(expected, nan_ok=True)
    assert run.weights[0] == pytest.approx(weights)
    assert run.idle_days.tolist() == [1]


def test_a_tutor_without_sessions_has_no_probability() -> None:
    run = FILTER.run(np.zeros((1, 5)), np.zeros((1, 5)))
    assert np.isnan(run.probability).all()
    assert run.idle_days.tolist() == [-1]


def test_thousands_of_sessions_neither_overflow_nor_vanish() -> None:
    with np.errstate(all="raise", under="ignore"):
        run = FILTER.run([[5000, 5000]], [[0, 5000]])
    assert run.probability[0] == pytest.approx([0, 1], abs=1e-6)


def test_other_tutors_do_not_matter() -> None:
    world = worlds.jumping(12, 120, seed=4)
    alone = FILTER.run(world.sessions[5:6], world.let_downs[5:6])
    assert alone.probability[0] == pytest.approx(
        FILTER.run(world.sessions, world.let_downs).probability[5], nan_ok=True
    )


def test_days_may_be_replayed_from_a_state() -> None:
    """What is kept of a tutor (weights and the day of the last session) is all that the next day needs."""
    world = worlds.jumping(8, 60, seed=5)
    whole = FILTER.run(world.sessions, world.let_downs)
    until = FILTER.run(world.sessions[:, :-1], world.let_downs[:, :-1])
    busy = world.sessions[:, -1] > 0
    since = np.where(until.idle_days >= 0, until.idle_days + 1, 0)
    next_day = FILTER.step(
        until.weights, world.sessions[:, -1].astype(float), world.let_downs[:, -1].astype(float), since
    )
    assert np.where(busy[:, np.newaxis], next_day, until.weights) == pytest.approx(whole.weights)


def test_coming_days_are_steps_without_events() -> None:
    """One session a day: what is projected is what the filter says when these sessions have been held."""
    sessions, let_downs = np.ones((1, 40)), np.zeros((1, 40))
    let_downs[0, 20:38] = 1
    run = FILTER.run(sessions[:, :37], let_downs[:, :37])
    later = np.concatenate([sessions[:, :37], np.zeros((1, 2)), np.ones((1, 30))], axis=1)
    events = np.concatenate([let_downs[:, :37], np.zeros((1, 32))], axis=1)
    idle = FILTER.run(later[:, :39], events[:, :39])
    projected = FILTER.projected(idle.weights, idle.idle_days, np.ones(1), 30)
    assert projected[0] == pytest.approx(FILTER.run(later, events).probability[0, 39:])
    assert run.weights == pytest.approx(idle.weights)


def test_without_coming_sessions_nothing_changes() -> None:
    run = FILTER.run([[3, 4]], [[3, 2]])
    projected = FILTER.projected(run.weights, run.idle_days, np.zeros(1), 10)
    assert projected[0] == pytest.approx(np.full(10, run.probability[0, -1]))


@given(
    before=st.lists(st.tuples(st.integers(0, 8), st.floats(0, 1)), max_size=20),
    n=st.integers(1, 12),
    k=st.integers(0, 11),
    phi=st.floats(1, 2),
)
def test_another_event_today_never_lowers_the_probability(
    before: list[tuple[int, float]], n: int, k: int, phi: float
) -> None:
    """Neither in place of another outcome nor besides."""
    sessions = [[*(m for m, _ in before), m] for m in (n, n, n + 1)]
    let_downs = [[*(int(m * share) for m, share in before), e] for e in (min(k, n), min(k + 1, n), min(k, n) + 1)]
    run = ChangeFilter.of_prior(PRIOR, LIMIT, phi).run(sessions, let_downs)
    today = run.probability[:, -1]
    assert today[1] >= today[0] - 1e-12
    assert today[2] >= today[0] - 1e-12


@pytest.mark.slow
def test_a_jump_is_noticed_within_a_fortnight_at_three_sessions_a_day() -> None:
    world = worlds.jump(400, 270, on=180, until=270, sessions_per_day=3, seed=11)
    run = FILTER.run(world.sessions, world.let_downs)
    noticed = run.probability[:, 180:] >= 0.8
    delay = np.where(noticed.any(axis=1), noticed.argmax(axis=1) + 1, 90)
    assert np.median(delay) <= 13


# --- design effect --------------------------------------------------------------------------------------------------


def weekly(sessions: list[int], let_downs: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """One tutor, everything on the first day of each week."""
    days = np.zeros((2, 1, 7 * len(sessions)))
    days[0, 0, ::7], days[1, 0, ::7] = sessions, let_downs
    return days[0], days[1]


def test_the_design_effect_by_hand() -> None:
    """Four weeks of 10 sessions with 1, 1, 2 and 4 let-downs: p = 0.2, Σ(k - 2)² = 6; 4·10·0.16·0.75 = 4.8."""
    assert design_effect(*weekly([10, 10, 10, 10], [1, 1, 2, 4])) == pytest.approx(6 / 4.8)
    assert design_effect(*weekly([10, 10, 10, 10], [0, 0, 1, 7])) == 2
    assert design_effect(*weekly([10, 10, 10, 10], [2, 2, 2, 2])) == 1


def test_a_tutors_months_are_compared_with_themselves() -> None:
    """A good month and a bad one do not make a week vary; an incomplete first month is left out."""
    assert design_effect(*weekly([10] * 8, [0] * 4 + [5] * 4)) == 1
    assert design_effect(*weekly([10] * 6, [10, 0, 1, 1, 2, 4])) == pytest.approx(6 / 4.8)


@pytest.mark.parametrize("days", [0, 27, 28])
def test_the_design_effect_of_nothing_is_1(days: int) -> None:
    with np.errstate(all="raise"):
        assert design_effect(np.zeros((3, days)), np.zeros((3, days))) == 1


def test_single_sessions_have_a_design_effect_of_1_and_sick_spells_a_greater_one() -> None:
    plain, sick = worlds.steady(300, 180, seed=2), worlds.with_sick_spells(300, 180, seed=2)
    assert design_effect(plain.sessions, plain.let_downs) == pytest.approx(1, abs=0.05)
    assert design_effect(sick.sessions, sick.let_downs) > 1.3
