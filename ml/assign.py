"""Assignment: who teaches whom, so that the fewest pairs are expected to end early."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from core.errors import TutorqError
from ml.features import Bools, Floats, Integers

NOBODY = -1
# A tutor with fewer sessions in 90 days has too little history to be judged by it, and is new.
NEW_TUTOR_SESSIONS = 5

# Nobody teaches the subject; all who do are forbidden; they have no place at all; or others got their places.
Unassigned = Literal["no_eligible_tutor", "forbidden", "no_capacity", "places_taken"]

# How softly the sketch has students choose, in probabilities, from softly to almost sharply.
SKETCH_LEVELS = (0.1, 0.03, 0.01, 0.003, 0.001, 0.0003)
SKETCH_ROUNDS = 10
# In the sketch, what is impossible costs twice the worst churn, and what ought to be earns as much: it needs no hard
# penalties and rewards.
WORST_IN_SKETCH = 2.0
MOST_SLOTS_PER_STUDENT = 1.5


class AssignmentError(TutorqError):
    """What was asked for contradicts itself; the text says where."""


@dataclass(frozen=True)
class Plan:
    """A tutor (position, or NOBODY) per student, how many students have one, how many of those explore, and the sum
    of the churn probabilities of the pairs."""

    tutor: Integers
    students: int
    explorations: int
    expected_churn: float


@dataclass(frozen=True)
class Assignment:
    """The best plan, beside what the obvious ways would have given under the same conditions.

    Plans are compared first by students, then by explorations, then by expected churn: a plan that leaves students
    without a tutor has less churn for the wrong reason.
    """

    best: Plan
    greedy: Plan  # the best pair that is still possible, again and again
    random: Plan  # each student in turn gets any tutor that is still possible
    is_fixed: Bools  # per student
    is_exploration: Bools  # per student: drawn to try a new tutor, and got one
    unassigned: dict[int, Unassigned]  # students without a tutor in the best plan, and why


def assign(
    churn: npt.NDArray[np.floating],
    capacity: Integers,
    *,
    eligible: Bools | None = None,
    forbidden: Sequence[tuple[int, int]] = (),
    fixed: Sequence[tuple[int, int]] = (),
    is_new_tutor: Bools | None = None,
    exploration_share: float = 0.0,
    seed: int = 0,
) -> Assignment:
    """The assignment that gives as many students as possible a tutor, and of those the one with least expected churn.

    `churn`: (students, tutors) probabilities. `capacity`: (tutors,) students each may take, fixed ones included.
    `eligible`: (students, tutors), false where a pair is out of the question (such as another subject).
    `forbidden` and `fixed`: positions (student, tutor); a fixed pair stands even if it is not eligible.
    `exploration_share`: the fraction 0-1 of the students without a fixed tutor who are drawn, by `seed`, to get one
    of the new tutors where that costs nobody a place: how else would a tutor without history come by one?

    Raises AssignmentError if fixed pairs are forbidden, name a student twice or exceed a capacity, or if a position,
    share, capacity or probability is out of range.
    """
    cost = np.asarray(churn, dtype=np.float64)
    capacity = np.asarray(capacity, dtype=np.int64)
    _check(cost, capacity, forbidden, fixed, exploration_share)
    students, tutors = cost.shape
    rng = np.random.default_rng(seed)
    possible: Bools = np.array(np.broadcast_to(True if eligible is None else eligible, cost.shape), dtype=np.bool_)
    is_eligible: Bools = np.asarray(possible.any(axis=1))
    for pair in forbidden:
        possible[pair] = False

    is_fixed: Bools = np.zeros(students, dtype=np.bool_)
    start: Integers = np.full(students, NOBODY, dtype=np.int64)
    room = capacity.copy()
    for student, tutor in fixed:
        is_fixed[student], start[student] = True, tutor
        room[tutor] -= 1

    new: Bools = np.broadcast_to(np.bool_(False), tutors) if is_new_tutor is None else is_new_tutor
    explores = _explorers(rng, possible & new & (room > 0), is_fixed, exploration_share)
    # In one number, by importance: to have a tutor, to explore where drawn, and not to churn. A reward, for a penalty
    # on other tutors would have those who were drawn lose places with them.
    weighed = cost - (students + 1.0) * (explores[:, np.newaxis] & new)
    weighed[~possible] = (students + 1.0) * (students + 2.0)

    free = np.flatnonzero(~is_fixed)

    def plan(chosen: Integers) -> Plan:
        everybody = start.copy()
        everybody[free] = chosen
        return _plan(everybody, cost, explores, new)

    best = plan(_least_cost(weighed[free], possible[free], room))
    is_allowed: Bools = np.asarray(possible.any(axis=1))
    has_place: Bools = np.asarray((possible & (capacity > 0)).any(axis=1))

    def why(student: int) -> Unassigned:
        if not is_eligible[student]:
            return "no_eligible_tutor"
        if not is_allowed[student]:
            return "forbidden"
        return "places_taken" if has_place[student] else "no_capacity"

    return Assignment(
        best=best,
        greedy=plan(_greedy(weighed[free], possible[free], room)),
        random=plan(_random(weighed[free], possible[free], room, rng)),
        is_fixed=is_fixed,
        is_exploration=explores & _is_new(best.tutor, new),
        unassigned={student: why(student) for student in np.flatnonzero(best.tutor == NOBODY).tolist()},
    )


def _check(
    churn: Floats,
    capacity: Integers,
    forbidden: Sequence[tuple[int, int]],
    fixed: Sequence[tuple[int, int]],
    exploration_share: float,
) -> None:
    students, tutors = churn.shape
    if not np.all((churn >= 0) & (churn <= 1)):
        raise AssignmentError("a probability of churn is not between 0 and 1")
    if np.any(capacity < 0):
        raise AssignmentError("a capacity is below 0")
    if not 0 <= exploration_share <= 1:
        raise AssignmentError(f"the exploration share {exploration_share} is not between 0 and 1")
    for student, tutor in (*forbidden, *fixed):
        if not (0 <= student < students and 0 <= tutor < tutors):
            raise AssignmentError(f"there is no pair ({student}, {tutor}) among {students} students, {tutors} tutors")
    for student, tutor in set(fixed) & set(forbidden):
        raise AssignmentError(f"the pair ({student}, {tutor}) is both fixed and forbidden")
    if len({student for student, _ in fixed}) < len(fixed):
        raise AssignmentError("a student is fixed to a tutor more than once")
    taken = np.bincount([tutor for _, tutor in fixed], minlength=tutors)
    for full in np.flatnonzero(taken > capacity):
        raise AssignmentError(f"{taken[full]} fixed students exceed the capacity {capacity[full]} of tutor {full}")


def _explorers(rng: np.random.Generator, possible: Bools, is_fixed: Bools, share: float) -> Bools:
    """(students,): who is drawn. Chance, and not the model, draws them: what is learnt then holds for anybody."""
    candidates = np.flatnonzero(possible.any(axis=1) & ~is_fixed)
    wanted = min(round(share * int((~is_fixed).sum())), len(candidates))
    drawn = np.zeros(len(is_fixed), dtype=np.bool_)
    drawn[rng.permutation(candidates)[:wanted]] = True
    return drawn


def _least_cost(cost: Floats, possible: Bools, room: Integers) -> Integers:
    """(students,) tutors with the least total cost, by SciPy on the matrix of students and slots.

    A student may be left over, or matched to an impossible pair, which means the same: as an impossible pair costs
    more than all else together, there are as few of both as can be.

    SciPy's time depends on the matrix, and is long where students agree on who is good. Taking a price per tutor off
    each column of a matrix of which all columns are used changes no optimum, and with prices near the right ones most
    students find a free slot at once. Wrong prices only cost time. Where there are many more slots than students,
    prices do not pay for the rows that it takes to use all columns.
    """
    from scipy.optimize import linear_sum_assignment

    students = len(cost)
    room = np.minimum(room, students)
    slots = np.repeat(np.arange(len(room)), room)
    answer: Integers = np.full(students, NOBODY, dtype=np.int64)
    if not students or not len(slots):
        return answer
    matrix = cost[:, slots]
    if len(slots) <= MOST_SLOTS_PER_STUDENT * students:
        idle = np.zeros((max(0, len(slots) - students), len(slots)))
        matrix = np.vstack([matrix, idle]) - _prices(np.clip(cost, -WORST_IN_SKETCH, WORST_IN_SKETCH), room)[slots]
    rows, columns = linear_sum_assignment(matrix)
    rows, columns = rows[rows < students], columns[rows < students]
    answer[rows] = slots[columns]
    answer[rows[~possible[rows, answer[rows]]]] = NOBODY
    return answer


def _prices(cost: Floats, room: Integers) -> Floats:
    """(tutors,) about what a place with each tutor is worth: the dual of the transport problem by Sinkhorn's
    iterations (Cuturi 2013), with ever less softened choices of the students."""
    students, tutors = cost.shape
    supply = room.astype(np.float64)
    idle = max(0.0, supply.sum() - students)
    wanted = np.append(np.ones(students), idle)  # the last one takes all that stays free, and does not mind which
    cost = np.vstack([cost, np.zeros(tutors)])
    supply *= wanted.sum() / supply.sum()
    price: Floats = np.zeros(tutors)
    for level in SKETCH_LEVELS:
        offer = cost - price
        kernel = np.exp((offer.min(axis=1, keepdims=True) - offer) / level)
        factor = np.ones(tutors)
        for _ in range(SKETCH_ROUNDS):
            share = wanted / np.maximum(kernel @ factor, 1e-200)
            factor = np.clip(supply / np.maximum(share @ kernel, 1e-200), 1e-200, 1e200)
        price = price + level * np.log(factor)
    return np.where(room > 0, price, 0.0)


def _greedy(cost: Floats, possible: Bools, room: Integers) -> Integers:
    """(students,) tutors, taking the cheapest possible pair that is left again and again."""
    answer = np.full(len(cost), NOBODY)
    left = room.copy()
    open_students = int(possible.any(axis=1).sum())
    order = np.argsort(cost, axis=None, kind="stable")
    order = order[possible.ravel()[order]]
    for pair in order.tolist():
        student, tutor = divmod(pair, cost.shape[1])
        if answer[student] == NOBODY and left[tutor]:
            answer[student] = tutor
            left[tutor] -= 1
            open_students -= 1
            if not open_students:
                break
    return answer


def _random(cost: Floats, possible: Bools, room: Integers, rng: np.random.Generator) -> Integers:
    """(students,) tutors: the students one after the other in random order, each with any tutor who is possible, has
    room, and if possible is new where the student explores."""
    answer = np.full(len(cost), NOBODY)
    left = room.copy()
    for student in rng.permutation(len(cost)):
        choice = np.flatnonzero(possible[student] & (left > 0))
        if len(choice):
            explored = choice[cost[student, choice] < 0]
            answer[student] = rng.choice(explored if len(explored) else choice)
            left[answer[student]] -= 1
    return answer


def _is_new(tutor: Integers, new: Bools) -> Bools:
    """(students,): has a tutor, and a new one."""
    found = np.zeros(len(tutor), dtype=np.bool_)
    found[tutor != NOBODY] = new[tutor[tutor != NOBODY]]
    return found


def _plan(tutor: Integers, churn: Floats, explores: Bools, new: Bools) -> Plan:
    taught = np.flatnonzero(tutor != NOBODY)
    return Plan(
        tutor=tutor,
        students=len(taught),
        explorations=int((explores & _is_new(tutor, new)).sum()),
        expected_churn=float(churn[taught, tutor[taught]].sum()),
    )
