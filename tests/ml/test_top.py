"""Lists of the best: exact, within limits by free places, and the same however they are worked out."""

from typing import Any

import numpy as np
import pytest

from ml.candidates import Candidates
from ml.pairs import Students, Tutors, score
from ml.rules import MatchRules
from ml.top import BEST, LISTS_PER_PLACE, NOBODY, Ranked, best_lists, blocks, fill, rank

RULES = MatchRules()


def people(kind: Any, count: int, seed: int, *, agreeing: bool = False) -> Any:
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, 256, size=(count, 16), dtype=np.uint8)
    names = [name for name in kind.__annotations__ if name != "ids"]
    columns = {name: rng.integers(1, 6, size=count).astype(np.float64) for name in names}
    columns["style"] = rng.integers(0, 3, size=count).astype(np.float64)
    columns["age"] = rng.integers(8, 60, size=count).astype(np.float64)
    for name in ("pace", "communication", "style", "age"):
        columns[name][rng.random(count) < 0.05] = np.nan
    if agreeing and kind is Students:  # all want the same
        columns |= {name: np.full(count, 3.0) for name in ("pace", "communication", "age")}
        columns["style"] = np.zeros(count)
    return kind(ids, **columns)


def among(students: int, tutors: int, seed: int, *, places: int = 1_000, everywhere: bool = True) -> Candidates:
    """Three subjects; every student names one or two of them, every tutor teaches some of them. Besides, with
    `everywhere`, students of a subject that nobody teaches and of none, and tutors of none."""
    rng = np.random.default_rng(seed)
    teaches = rng.random((4, tutors)) < 0.5
    teaches[3] = False
    return Candidates(
        group=rng.integers(0, 5 if everywhere else 3, size=students),
        places=np.full(tutors, places, dtype=np.int64),
        _wanted=[[0], [1], [0, 2], [3], []],
        _teaches=teaches,
        _names_none=rng.random(tutors) < (0.02 if everywhere else 0),
    )


def exact(students: Students, tutors: Tutors, candidates: Candidates) -> list[list[int]]:
    """By sorting everything: each student's candidates from the lowest risk on, then by position."""
    answer = []
    for student in range(len(students)):
        [block] = score(RULES, students[student : student + 1], tutors, block_rows=10**9)
        chosen = candidates.of_group(int(candidates.group[student]))
        answer.append(sorted(chosen.tolist(), key=lambda tutor: (block.probability[tutor], tutor)))
    return answer


def listed(lists: Ranked, student: int) -> list[int]:
    return [tutor for tutor in lists.tutor[:, student].tolist() if tutor != NOBODY]


@pytest.mark.parametrize("tutors", [1, 30, 700])
def test_lists_are_the_exact_best_of_the_candidates(tutors: int) -> None:
    who, whom = people(Students, 60, 1), people(Tutors, tutors, 2)
    candidates = among(60, tutors, 3)
    lists = best_lists(RULES, who, whom, candidates)
    expected = exact(who, whom, candidates)
    for student in range(60):
        assert listed(lists, student) == expected[student][:BEST]
    assert lists.pairs == np.minimum(candidates.count, BEST).sum()
    assert any(expected), "some have candidates"


def test_what_is_written_is_what_scoring_the_pair_alone_gives() -> None:
    who, whom = people(Students, 40, 4), people(Tutors, 300, 5)
    lists = best_lists(RULES, who, whom, among(40, 300, 6))
    place = {row.tobytes(): at for at, row in enumerate(whom.ids)}
    written = 0
    for block in blocks(who, whom, lists, np.arange(40)):
        [student] = [at for at in range(40) if who.ids[at].tobytes() == block.students.tobytes()]
        for row, tutor in enumerate(block.tutors):
            at = place[tutor.tobytes()]
            [alone] = score(RULES, who[student : student + 1], whom[at : at + 1])
            assert block.probability[row].tobytes() == alone.probability[0].tobytes()
            assert block.compatibility[row].tobytes() == alone.compatibility[0].tobytes()
            for name, values in alone.mismatches.items():
                np.testing.assert_array_equal(block.mismatches[name][row], values[0])
            written += 1
    assert written == lists.pairs > 500


def test_the_same_comes_out_whatever_the_blocks() -> None:
    who, whom = people(Students, 150, 7, agreeing=True), people(Tutors, 260, 8)
    candidates = among(150, 260, 9, places=2)
    first = best_lists(RULES, who, whom, candidates)
    for block_rows in (1, 777):
        again = best_lists(RULES, who, whom, candidates, block_rows=block_rows)
        np.testing.assert_array_equal(first.tutor, again.tutor)
        assert first.probability.tobytes() == again.probability.tobytes()
    backwards = np.arange(150)[::-1]
    turned = rank(RULES, who[backwards], whom, candidates[backwards])
    np.testing.assert_array_equal(turned.tutor[:, ::-1], rank(RULES, who, whom, candidates).tutor)


def test_nobody_is_on_more_lists_than_places_allow_while_others_are_there() -> None:
    """100 students agree on who is good; 3,000 places on lists, and 1,000 wanted."""
    who, whom = people(Students, 100, 10, agreeing=True), people(Tutors, 200, 11)
    candidates = among(100, 200, 12, places=3, everywhere=False)
    ranked = rank(RULES, who, whom, candidates)
    without = fill(ranked, np.full(200, 10**6), np.zeros(200, dtype=np.int64), best=10)
    lists = fill(ranked, candidates.places, np.zeros(200, dtype=np.int64), best=10)
    load, before = loads(lists, 200), loads(without, 200)
    assert before.max() > 50
    assert load.max() == LISTS_PER_PLACE * 3
    assert lists.pairs == without.pairs


def test_over_the_limit_only_where_nothing_else_is_left() -> None:
    """Physics (group 1) has tutors for everybody, maths (group 0) has not."""
    who, whom = people(Students, 300, 13, agreeing=True), people(Tutors, 260, 14)
    teaches = np.zeros((2, 260), dtype=np.bool_)
    teaches[0, :70] = teaches[1, 60:] = True
    places = np.random.default_rng(15).integers(1, 4, size=260)
    group = (np.arange(300) < 20).astype(np.int64)
    candidates = Candidates(group, places, [[0], [1]], teaches, np.zeros(260, dtype=np.bool_))
    ranked = rank(RULES, who, whom, candidates)
    lists = fill(ranked, places, np.zeros(260, dtype=np.int64))
    limit = LISTS_PER_PLACE * places
    load = loads(lists, 260)
    np.testing.assert_array_equal(lists.length, np.full(300, BEST))
    has_room = load < limit
    others = [
        any(has_room[tutor] for tutor in set(listed(ranked, student)) - set(listed(lists, student)))
        for student in range(300)
    ]
    with_others = np.flatnonzero(others)
    by_them = np.bincount(lists.tutor[:, with_others].reshape(-1), minlength=260)
    assert len(with_others) == 20
    assert (by_them <= limit).all()
    assert (load > limit).any()
    # All limits double together, so where there are too few, they are too few evenly.
    of_maths = load[:60] / limit[:60]
    assert of_maths.max() < 4 * 280 * BEST / limit[:70].sum()
    assert of_maths.min() > 1


def test_loads_that_are_there_already_count() -> None:
    who, whom = people(Students, 20, 17), people(Tutors, 90, 18)
    candidates = among(20, 90, 19, places=1, everywhere=False)
    free = fill(rank(RULES, who, whom, candidates), np.full(90, 1_000), np.zeros(90, dtype=np.int64), best=5)
    busy = int(np.argmax(loads(free, 90)))
    load = np.zeros(90, dtype=np.int64)
    load[busy] = LISTS_PER_PLACE * 1_000
    again = fill(rank(RULES, who, whom, candidates), np.full(90, 1_000), load, best=5)
    assert loads(free, 90)[busy] > 0
    assert loads(again, 90)[busy] == 0


def test_who_has_no_candidate_has_no_list() -> None:
    who, whom = people(Students, 3, 20), people(Tutors, 4, 21)
    nobody = Candidates(
        np.zeros(3, dtype=np.int64), np.ones(4, dtype=np.int64), [[0]],
        np.zeros((1, 4), dtype=np.bool_), np.zeros(4, dtype=np.bool_),
    )  # fmt: skip
    lists = best_lists(RULES, who, whom, nobody)
    assert lists.pairs == 0
    assert list(blocks(who, whom, lists, np.arange(3))) == []


def loads(lists: Ranked, tutors: int) -> np.ndarray[Any, Any]:
    return np.bincount(lists.tutor[lists.tutor != NOBODY], minlength=tutors)
