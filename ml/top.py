"""The lists of `top` mode: per student the best tutors among the candidates, so that no tutor is on everybody's.

All candidates are scored, by the scorer of all pairs. Of each student the best DEPTH stay in memory (8 bytes each,
1.6 KB a student), and lists are filled from them: rank by rank, and within a rank those with the shortest lists first,
then those with the lowest risk. A tutor is on at most LISTS_PER_PLACE lists per free place. Students whose lists are
not full then, because all these tutors have reached that limit, go through the ranks again with the limit doubled, and
so on. So a list is as long as it can be, and tutors are over the limit evenly, and only where nothing else is left.

What comes out depends on the people and the model alone: not on blocks, threads or buckets.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.candidates import Candidates
from ml.features import Bools, Integers, Matrix
from ml.model import Model
from ml.pairs import BLOCK_ROWS, Block, Students, Tutors, preferences, score

# Tutors on the list of a student.
BEST = 50
# The best candidates of a student from among whom the list is filled.
DEPTH = 4 * BEST
LISTS_PER_PLACE = 5

WORKERS = 2
# Students of a group that one thread scores at a time: few enough to share the work, and to report progress.
SLICE_STUDENTS = 512

NOBODY = -1
Positions = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Ranked:
    """(ranks, students): tutors by position from the lowest risk on, NOBODY where there are no more, and the
    probabilities of churn. Of equal risks the lower position goes first."""

    tutor: Positions
    probability: Matrix

    @property
    def length(self) -> Integers:
        """(students,)"""
        found: Integers = (self.tutor != NOBODY).sum(axis=0, dtype=np.int64)
        return found

    @property
    def pairs(self) -> int:
        return int(self.length.sum())


def best_lists(
    model: Model,
    students: Students,
    tutors: Tutors,
    candidates: Candidates,
    *,
    load: Integers | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    block_rows: int = BLOCK_ROWS,
) -> Ranked:
    """The list of each student, at most BEST long. `load`: (tutors,) how many other students' lists each tutor is on.
    `on_progress` gets (pairs scored, pairs in all)."""
    ranked = rank(model, students, tutors, candidates, on_progress=on_progress, block_rows=block_rows)
    return fill(ranked, candidates.places, np.zeros(len(tutors), dtype=np.int64) if load is None else load)


def rank(
    model: Model,
    students: Students,
    tutors: Tutors,
    candidates: Candidates,
    *,
    depth: int = DEPTH,
    on_progress: Callable[[int, int], None] | None = None,
    block_rows: int = BLOCK_ROWS,
) -> Ranked:
    """The best `depth` candidates of each student, by exact scores of all of them."""
    ranked = Ranked(
        np.full((depth, len(students)), NOBODY, dtype=np.int32),
        np.full((depth, len(students)), np.nan, dtype=np.float32),
    )
    total, done = int(candidates.count.sum()), 0

    def score_some(group: int, members: Integers) -> int:
        among, start = candidates.of_group(group), 0
        for block in score(model, students[members], tutors[among], block_rows=block_rows):
            chances = block.probability.reshape(-1, len(among))
            some = members[start : start + len(chances)]
            start += len(chances)
            # Bits of floats that are not negative have the order of the floats: one number orders by risk, then tutor.
            keys = (np.ascontiguousarray(chances).view(np.uint32).astype(np.uint64) << np.uint64(32)) | among.astype(
                np.uint64
            )
            if depth < len(among):
                keys = np.partition(keys, depth - 1, axis=1)[:, :depth]
            keys.sort(axis=1)
            ranks = slice(0, keys.shape[1])
            ranked.tutor[ranks, some] = (keys & np.uint64(0xFFFFFFFF)).astype(np.int32).T
            ranked.probability[ranks, some] = (keys >> np.uint64(32)).astype(np.uint32).view(np.float32).T
        return len(members) * len(among)

    work = (
        (group, members[start : start + SLICE_STUDENTS])
        for group, members in candidates.members
        for start in range(0, len(members), SLICE_STUDENTS)
    )
    with ThreadPoolExecutor(WORKERS) as pool:
        for pairs in pool.map(lambda each: score_some(*each), work):
            done += pairs
            if on_progress:
                on_progress(done, total)
    return ranked


def fill(ranked: Ranked, places: Integers, load: Integers, *, best: int = BEST) -> Ranked:
    """Lists of at most `best` tutors out of the ranked ones, with regard to free places.

    Args:
        places: (tutors,) free ones; a tutor without any counts as one with one, for they are candidates only of
            students who have no others.
        load: (tutors,) on how many lists each one is already.
    """
    depth, students = ranked.tutor.shape
    wanted = np.minimum(ranked.length, best)
    taken: Bools = np.zeros((depth, students), dtype=np.bool_)
    length: Integers = np.zeros(students, dtype=np.int64)
    load = load.copy()
    limit = LISTS_PER_PLACE * np.maximum(places, 1)
    waiting = np.flatnonzero(length < wanted)
    while len(waiting):
        for at in range(depth):
            asking = waiting[length[waiting] < wanted[waiting]]
            asking = asking[~taken[at, asking] & (ranked.tutor[at, asking] != NOBODY)]
            tutor = ranked.tutor[at, asking]
            has_room = load[tutor] < limit[tutor]
            asking, tutor = asking[has_room], tutor[has_room]
            if not len(asking):
                continue
            order = np.lexsort((asking, ranked.probability[at, asking], length[asking], tutor))
            asking, tutor = asking[order], tutor[order]
            is_first = np.append(True, tutor[1:] != tutor[:-1])
            begin = np.flatnonzero(is_first)
            place_in_line = np.arange(len(tutor)) - begin[np.cumsum(is_first) - 1]
            gets_one = place_in_line < (limit - load)[tutor]
            asking, tutor = asking[gets_one], tutor[gets_one]
            taken[at, asking] = True
            length[asking] += 1
            load += np.bincount(tutor, minlength=len(load))
        waiting = waiting[length[waiting] < wanted[waiting]]
        limit = limit * 2
    return _chosen(ranked, taken, best)


def blocks(students: Students, tutors: Tutors, lists: Ranked, some: Integers) -> Iterator[Block]:
    """The pairs on the lists of `some` students (positions), as the writer of all pairs takes them: a block each."""
    wants, offers = preferences(students, column=True), preferences(tutors)
    length = lists.length
    for student in some[length[some] > 0].tolist():
        chosen = lists.tutor[: length[student], student].astype(np.int64)
        yield Block(
            students.ids[student : student + 1],
            tutors.ids[chosen],
            np.ascontiguousarray(lists.probability[: len(chosen), student]),
            (wants[student : student + 1], offers[chosen]),
        )


def _chosen(ranked: Ranked, taken: Bools, best: int) -> Ranked:
    """The tutors who were taken, moved up to the first `best` ranks."""
    students = taken.shape[1]
    lists = Ranked(
        np.full((best, students), NOBODY, dtype=np.int32), np.full((best, students), np.nan, dtype=np.float32)
    )
    length = np.zeros(students, dtype=np.int64)
    for tutor, probability, is_taken in zip(ranked.tutor, ranked.probability, taken, strict=True):
        some = np.flatnonzero(is_taken)
        lists.tutor[length[some], some] = tutor[some]
        lists.probability[length[some], some] = probability[some]
        length[some] += 1
    return lists
