"""Slates: probabilities are exact, the same seed gives the same slate, and places that are spoken for count."""

from collections import Counter
from datetime import date
from itertools import pairwise, permutations
from uuid import UUID

import numpy as np
import pytest

from ml.offers import (
    MOST_CANDIDATES,
    ORDERS,
    Candidates,
    Order,
    candidates,
    draw,
    is_held_out,
    lottery_of,
    overfull,
    propensities,
    shares,
    slate_propensities,
    week_of,
)

KEY = UUID("5f0c6a52-7a0e-4f5f-9d0e-6f5a4c3b2a10")


def some(count: int, seed: int = 3) -> tuple[list[UUID], np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    churn, rules = (rng.random(count).astype(np.float32) for _ in range(2))
    return [UUID(int=at) for at in range(count)], churn, rules


def test_candidates_are_the_first_of_model_and_rules_in_the_order_of_the_model() -> None:
    ids, churn, rules = some(40)
    among = candidates(ids, churn, rules, 3)
    first_by_model = sorted(range(40), key=lambda at: churn[at])[:MOST_CANDIDATES]
    first_by_rules = sorted(range(40), key=lambda at: rules[at])[:3]
    assert {tutor.int for tutor in among.tutors} == {*first_by_model, *first_by_rules}
    assert all(one <= other for one, other in pairwise(among.churn))
    assert [among.tutors[at].int for at in among.by_rules[:3]] == first_by_rules
    assert [churn[tutor.int] for tutor in among.tutors] == among.churn.tolist()
    # Whatever order they come in, equals stand in the order of their ids.
    alike = np.full(4, 0.5, dtype=np.float32)
    assert candidates(ids[3::-1], alike, alike, 2).tutors == tuple(ids[:4])


@pytest.mark.parametrize("policy", ORDERS)
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("count", "size"), [(12, 3), (2, 3), (1, 1), (5, 5)])
def test_probabilities_sum_to_one_at_each_place_and_for_the_size_of_each_tutor(
    policy: Order, share: float, count: int, size: int
) -> None:
    ids, churn, rules = some(count)
    among = Candidates(tuple(ids), churn, rules)
    lottery = lottery_of(policy, share)
    assert sum(lottery.values()) == pytest.approx(1)
    [found] = propensities(among.by_rules[np.newaxis], size, shares(lottery)[np.newaxis])
    assert found.shape == (min(size, count), count)
    assert found.sum(axis=1) == pytest.approx(1)
    assert found.sum(axis=0).max() <= 1 + 1e-9


@pytest.mark.slow
def test_slates_come_as_often_as_their_probabilities_say() -> None:
    among = candidates(*some(9), 3)
    lottery = lottery_of("model", 0.5)
    [said] = propensities(among.by_rules[np.newaxis], 3, shares(lottery)[np.newaxis])
    seen, orders, runs = np.zeros_like(said), Counter[str](), 20_000
    for seed in range(runs):
        drawn = draw(among, 3, lottery, seed)
        seen[np.arange(3), drawn.places] += 1
        orders[drawn.order] += 1
        assert drawn.propensity == pytest.approx(said[np.arange(3), drawn.places])
        assert len(set(drawn.places.tolist())) == 3
    # Five standard errors.
    assert np.abs(seen / runs - said).max() < 5 * np.sqrt(0.25 / runs)
    assert {order: count / runs for order, count in orders.items()} == pytest.approx(lottery, abs=0.02)


@pytest.mark.parametrize("policy", ORDERS)
def test_probabilities_of_whole_slates_add_up_to_those_of_each_tutor_at_each_place(policy: Order) -> None:
    among = candidates(*some(5), 3)
    lottery = shares(lottery_of(policy, 0.4))[np.newaxis]
    every = np.array(list(permutations(range(5), 3)))
    rules = np.tile(among.by_rules, (len(every), 1))
    chances = slate_propensities(rules, every, np.tile(lottery, (len(every), 1)))
    assert chances.sum() == pytest.approx(1)
    [at_places] = propensities(among.by_rules[np.newaxis], 3, lottery)
    for place in range(3):
        of_tutor = np.bincount(every[:, place], weights=chances, minlength=5)
        assert of_tutor == pytest.approx(at_places[place])


def test_the_same_seed_gives_the_same_slate() -> None:
    among = candidates(*some(9), 3)
    lottery = lottery_of("model", 0.9)
    one, again = (draw(among, 3, lottery, 77) for _ in range(2))
    assert (one.order, one.places.tolist()) == (again.order, again.places.tolist())
    assert len({tuple(draw(among, 3, lottery, seed).places.tolist()) for seed in range(50)}) > 10


def test_without_exploration_it_is_the_first_of_the_model_for_certain() -> None:
    among = candidates(*some(9), 3)
    for seed in range(20):
        drawn = draw(among, 3, lottery_of("model"), seed)
        assert drawn.places.tolist() == [0, 1, 2]
        assert drawn.propensity.tolist() == [1, 1, 1]
    assert draw(among, 3, lottery_of("rules"), 1).places.tolist() == among.by_rules[:3].tolist()


def test_cells_are_held_out_by_their_share_and_always_the_same() -> None:
    weeks = [date(2026, 1, 5 + 7 * at) if at < 4 else date(2026, 2, 2) for at in range(5)]
    cells = [(f"subject {at}", week) for at in range(400) for week in weeks]
    held = [is_held_out(KEY, subject, week, 0.25) for subject, week in cells]
    assert held == [is_held_out(KEY, subject, week, 0.25) for subject, week in cells]
    assert np.mean(held) == pytest.approx(0.25, abs=0.05)
    # Who is held out at a small share is so at a larger one; another key holds out others.
    assert all(is_held_out(KEY, *cell, 0.5) for cell, was in zip(cells, held, strict=True) if was)
    assert held != [is_held_out(UUID(int=1), subject, week, 0.25) for subject, week in cells]
    assert not any(is_held_out(KEY, subject, week, 0) for subject, week in cells)
    assert is_held_out(KEY, None, weeks[0], 0.5) in (True, False)
    assert week_of(date(2026, 1, 11)) == week_of(date(2026, 1, 5)) == date(2026, 1, 5)


def test_places_that_are_spoken_for_count_but_not_for_who_is_assigned_now() -> None:
    lea, max_, eva, ada, bob = (UUID(int=at) for at in range(1, 6))
    room = {ada: 2, bob: 1}
    assert overfull([(lea, ada), (max_, ada), (eva, bob)], room, []) == {}
    assert overfull([(lea, ada), (max_, ada)], room, [(eva, ada)]) == {ada: (2, 1)}
    # Lea had Bob's place, and gives it up for Ada's.
    assert overfull([(lea, ada), (max_, bob)], room, [(lea, bob)]) == {}
    assert overfull([(lea, bob), (max_, bob)], room, []) == {bob: (2, 1)}
