"""Assignment against brute force, and what it must never do."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.assign import NOBODY, AssignmentError, Plan, assign


def rank(plan: Plan) -> tuple[int, int, float]:
    """Smaller is better; churn to what doubles can tell apart."""
    return (-plan.students, -plan.explorations, round(plan.expected_churn, 9))


@st.composite
def problems(draw, students=5, tutors=4):
    """A small problem with ties, tutors without room, impossible, forbidden and fixed pairs."""
    s, t = draw(st.integers(0, students)), draw(st.integers(1, tutors))
    chance = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.55, 1.0])
    churn = np.array(draw(st.lists(chance, min_size=s * t, max_size=s * t))).reshape(s, t)
    capacity = np.array(draw(st.lists(st.integers(0, 3), min_size=t, max_size=t)))
    flags = st.lists(st.booleans(), min_size=s * t, max_size=s * t)
    eligible = np.array(draw(flags), dtype=bool).reshape(s, t) | draw(st.booleans())
    new = np.array(draw(st.lists(st.booleans(), min_size=t, max_size=t)), dtype=bool)
    fixed, room = [], capacity.copy()
    for student in range(s):
        tutor = draw(st.integers(0, 3 * t))
        if tutor < t and room[tutor]:
            fixed.append((student, tutor))
            room[tutor] -= 1
    pairs = st.tuples(st.integers(0, max(s - 1, 0)), st.integers(0, t - 1))
    forbidden = [pair for pair in draw(st.lists(pairs, max_size=4)) if s and pair not in fixed]
    return {
        "churn": churn, "capacity": capacity, "eligible": eligible, "forbidden": forbidden, "fixed": fixed,
        "is_new_tutor": new, "exploration_share": draw(st.sampled_from([0.0, 0.5, 1.0])),
        "seed": draw(st.integers(0, 9)),
    }  # fmt: skip


@pytest.mark.slow
@settings(max_examples=300)
@given(problems())
def test_it_is_the_best_of_all_plans_and_keeps_every_rule(problem):
    answer = assign(**problem)
    churn, capacity, new = problem["churn"], problem["capacity"], problem["is_new_tutor"]
    fixed, forbidden = dict(problem["fixed"]), set(problem["forbidden"])
    students, tutors = churn.shape

    def allowed(student, tutor):
        return tutor == NOBODY or (problem["eligible"][student, tutor] and (student, tutor) not in forbidden)

    for plan in (answer.best, answer.greedy, answer.random):
        taught = plan.tutor[plan.tutor != NOBODY]
        assert (np.bincount(taught, minlength=tutors) <= capacity).all()
        assert all(plan.tutor[student] == tutor for student, tutor in fixed.items())
        assert all(allowed(i, plan.tutor[i]) for i in range(students) if i not in fixed)
        assert plan.students == len(taught)
        assert plan.expected_churn == pytest.approx(
            sum(churn[i, tutor] for i, tutor in enumerate(plan.tutor) if tutor != NOBODY)
        )
        assert rank(answer.best) <= rank(plan)
    assert set(answer.unassigned) == set(np.flatnonzero(answer.best.tutor == NOBODY))
    assert set(np.flatnonzero(answer.is_fixed)) == set(fixed)
    assert new[answer.best.tutor[answer.is_exploration]].all()

    if problem["exploration_share"] == 0:  # else only `assign` knows who was drawn
        choices = [
            [fixed[i]] if i in fixed else [t for t in range(NOBODY, tutors) if allowed(i, t)] for i in range(students)
        ]
        everything = (
            plan for plan in itertools.product(*choices)
            if (np.bincount([t for t in plan if t != NOBODY], minlength=tutors) <= capacity).all()
        )  # fmt: skip
        best = min(
            (-sum(t != NOBODY for t in plan), round(sum(churn[i, t] for i, t in enumerate(plan) if t != NOBODY), 9))
            for plan in everything
        )
        assert (-answer.best.students, round(answer.best.expected_churn, 9)) == best


@pytest.mark.parametrize("capacity", [1, 3, 5, 20], ids="room for {0} each".format)
@pytest.mark.parametrize("noise", [0.0, 0.05, 1.0])
def test_prices_change_no_optimum(capacity, noise):
    """As many expect as SciPy finds on the plain matrix, where students agree on tutors and where they do not."""
    from scipy.optimize import linear_sum_assignment

    rng = np.random.default_rng(1)
    odds = rng.normal(size=(60, 1)) + rng.normal(size=(1, 20)) + noise * rng.normal(size=(60, 20))
    churn = 1 / (1 + np.exp(-odds))
    plain = np.repeat(churn, capacity, axis=1)
    expected = plain[linear_sum_assignment(plain)].sum()
    best = assign(churn, np.full(20, capacity)).best
    assert best.students == min(60, 20 * capacity)
    assert best.expected_churn == pytest.approx(expected, abs=1e-9)


def test_greedy_leaves_students_without_a_tutor_where_the_best_plan_does_not():
    churn = np.array([[0.1, 0.2], [0.3, 0.9]])
    eligible = np.array([[True, True], [True, False]])
    answer = assign(churn, np.array([1, 1]), eligible=eligible)
    assert answer.best.tutor.tolist() == [1, 0]
    assert answer.best.expected_churn == pytest.approx(0.5)
    assert answer.greedy.tutor.tolist() == [0, NOBODY]


def test_students_left_over_are_told_why():
    eligible = np.array([[True], [True], [False]])
    answer = assign(np.array([[0.4], [0.2], [0.1]]), np.array([1]), eligible=eligible)
    assert answer.best.tutor.tolist() == [NOBODY, 0, NOBODY]
    assert answer.unassigned == {0: "places_taken", 2: "no_eligible_tutor"}
    full = assign(np.array([[0.4], [0.2], [0.1]]), np.array([0]), eligible=eligible)
    assert full.unassigned == {0: "no_capacity", 1: "no_capacity", 2: "no_eligible_tutor"}
    # A place that somebody is fixed to is taken, too.
    fixed = assign(np.array([[0.4], [0.2], [0.1]]), np.array([1]), eligible=eligible, fixed=[(2, 0)])
    assert fixed.unassigned == {0: "places_taken", 1: "places_taken"}
    forbidden = assign(np.array([[0.4], [0.2], [0.1]]), np.array([1]), eligible=eligible, forbidden=[(0, 0), (2, 0)])
    assert forbidden.unassigned == {0: "forbidden", 2: "no_eligible_tutor"}
    # One of the two who teach the subject has a place, for the other student.
    both = np.array([[True, True], [False, True]])
    answer = assign(np.array([[0.1, 0.1], [0.1, 0.1]]), np.array([0, 1]), eligible=both)
    assert list(answer.unassigned.values()) == ["places_taken"]


def test_a_share_of_students_tries_new_tutors_and_the_rest_does_not_pay_for_it():
    churn = np.tile([0.1, 0.8], (10, 1))
    new = np.array([False, True])
    answer = assign(churn, np.array([10, 10]), is_new_tutor=new, exploration_share=0.3, seed=4)
    assert answer.best.explorations == 3 == answer.is_exploration.sum()
    assert answer.best.expected_churn == pytest.approx(3 * 0.8 + 7 * 0.1)
    again = assign(churn, np.array([10, 10]), is_new_tutor=new, exploration_share=0.3, seed=4)
    assert np.array_equal(answer.best.tutor, again.best.tutor)
    other = assign(churn, np.array([10, 10]), is_new_tutor=new, exploration_share=0.3, seed=5)
    assert not np.array_equal(answer.best.tutor, other.best.tutor)


def test_of_students_for_one_place_the_one_who_explores_gets_it():
    churn = np.array([[0.1], [0.0]])
    for seed in range(10):
        answer = assign(churn, [1], is_new_tutor=np.array([True]), exploration_share=0.5, seed=seed)
        assert (answer.best.students, answer.best.explorations) == (1, 1)


def test_nobody_loses_a_place_to_exploration():
    """The only new tutor is the only one for student 1: drawn or not, student 0 may not take that place."""
    eligible = np.array([[True, True], [False, True]])
    answer = assign(
        np.array([[0.1, 0.1], [0.1, 0.1]]), np.array([1, 1]), eligible=eligible,
        is_new_tutor=np.array([False, True]), exploration_share=1,
    )  # fmt: skip
    assert answer.best.tutor.tolist() == [0, 1]


def test_who_is_drawn_to_explore_loses_no_place_with_other_tutors():
    """All are drawn but the last, who has no new tutor. One new place and one old one are left for three."""
    eligible = np.array([[True, True], [True, True], [False, True]])
    answer = assign(
        np.array([[0.1, 0.1], [0.5, 0.2], [0.9, 0.9]]), np.array([1, 1]), eligible=eligible,
        is_new_tutor=np.array([True, False]), exploration_share=1,
    )  # fmt: skip
    assert answer.best.tutor.tolist() == [0, 1, NOBODY]
    assert answer.best.explorations == 1


def test_nobody_to_assign_and_nobody_to_assign_to():
    assert assign(np.empty((0, 3)), np.ones(3, dtype=int)).best.students == 0
    nobody = assign(np.empty((2, 0)), np.empty(0, dtype=int))
    assert nobody.best.tutor.tolist() == [NOBODY, NOBODY]
    assert nobody.unassigned == {0: "no_eligible_tutor", 1: "no_eligible_tutor"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"fixed": [(0, 0)], "forbidden": [(0, 0)]}, "both fixed and forbidden"),
        ({"fixed": [(0, 0), (0, 1)]}, "more than once"),
        ({"fixed": [(0, 0), (1, 0)]}, "exceed the capacity 1 of tutor 0"),
        ({"fixed": [(0, 7)]}, "no pair"),
        ({"forbidden": [(-1, 0)]}, "no pair"),
        ({"exploration_share": 1.5}, "not between 0 and 1"),
        ({"churn": np.full((2, 2), np.nan)}, "probability"),
        ({"capacity": np.array([1, -1])}, "below 0"),
    ],
)
def test_contradictions_are_refused(wrong, said):
    with pytest.raises(AssignmentError, match=said):
        assign(**{"churn": np.full((2, 2), 0.5), "capacity": np.array([1, 1]), **wrong})
