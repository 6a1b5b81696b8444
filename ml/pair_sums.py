"""Margins of all pairs of some students and tutors as a product of two matrices, without a look at each pair.

A leaf of a tree is reached where each feature on its path lies within an interval. Most features are the student's or
the tutor's alone. A mismatch is neither's, but given the student's preference it is the tutor's: a leaf that asks for
one is taken apart into a term for each preference that students have. So the margin of a pair is the sum over all terms
of what the student gives times whether the tutor fits: a row of one matrix times a column of the other. The straight
part is a few terms more. 150 trees are about 2,000 terms, which BLAS adds up in a tenth of the time that XGBoost needs
to walk the trees.

What is added is rounded to multiples of 2**-40, so sums are exact in whatever order BLAS adds: a pair has the same
margin to the last bit, alone or among millions.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ml.features import Bools, Floats, Integers, Matrix
from ml.linear import Linear

if TYPE_CHECKING:
    import xgboost

STEP = 2.0**-40
TILE = 512  # tutors whose terms are numbers at a time; of all others, a term is a bit. A multiple of 8


class Interval(NamedTuple):
    """low <= value < high; `unknown`: whether an unknown value counts as inside."""

    low: float = -np.inf
    high: float = np.inf
    unknown: bool = True


FLAGGED = Interval(0.5, unknown=False)
Condition: TypeAlias = tuple[int, Interval]  # a column, and where its value has to lie


class Leaf(NamedTuple):
    """What a leaf adds to the margin, and where the features on its path have to lie, by their position."""

    value: float
    path: dict[int, Interval]


@dataclass(frozen=True)
class Apart:
    """A mismatch, by the student's preference."""

    preferences: Floats  # (k,): all that students have, each once, in order; NaN = unknown, and last
    mismatch: Floats  # (k, tutors), in single precision


class Leaves:
    """All leaves of trees for log-odds; the first is what the trees start from, which every row reaches."""

    def __init__(self, trees: "xgboost.Booster") -> None:
        learner = json.loads(trees.save_raw("json"))["learner"]
        base = float(learner["learner_model_param"]["base_score"].strip("[]"))
        self.all = [Leaf(float(np.log(base) - np.log1p(-base)), {})]
        for tree in learner["gradient_booster"]["model"]["trees"]:
            # Of a leaf, the limit is its value.
            limits = np.array(tree["split_conditions"], dtype=np.float32).tolist()
            waiting: list[tuple[int, dict[int, Interval]]] = [(0, {})]
            while waiting:
                node, path = waiting.pop()
                limit, left, right = limits[node], tree["left_children"][node], tree["right_children"][node]
                if left < 0:
                    self.all.append(Leaf(limit, path))
                    continue
                feature, goes_left = tree["split_indices"][node], bool(tree["default_left"][node])
                low, high, unknown = path.get(feature, Interval())
                waiting.append((left, path | {feature: Interval(low, min(high, limit), unknown and goes_left)}))
                waiting.append((right, path | {feature: Interval(max(low, limit), high, unknown and not goes_left)}))
        self._paths = _Conjunctions([list(leaf.path.items()) for leaf in self.all])
        self._values = _rounded(np.array([leaf.value for leaf in self.all]))

    def margins(self, linear: Linear, matrix: Matrix) -> Floats:
        """(rows,) for (rows, features): to the last bit what PairSums gives; slower, but quicker to begin with."""
        columns = matrix.T.astype(np.float64)
        straight = sum((_term(linear, p, column) for p, column in enumerate(columns)), _rounded(linear.intercept))
        return np.asarray(self._values @ self._paths.hold(columns) + straight)


class PairSums:
    """The margins of pairs with these tutors. Safe to share between threads."""

    def __init__(
        self, linear: Linear, leaves: Leaves, tutors: Floats, own: Collection[int], apart: Mapping[int, Apart]
    ) -> None:
        """`tutors`: (features, tutors), in single precision. Of these, `own` are about tutors alone, and `apart` has
        the mismatches; all others are about students alone, and their values do not matter here."""
        self._linear, self._apart = linear, apart
        self._own = [p for p in range(len(tutors)) if p not in own and p not in apart]
        # After the features, columns of flags: whether a student has one of some preferences, and whether a tutor is
        # then within an interval. Preferences for which the same tutors are count as one.
        self._flags: list[tuple[int, Bools]] = []
        columns = [*tutors]
        classes: dict[tuple[int, Interval], list[tuple[int, int]]] = {}
        for position, inside in {(p, inside) for leaf in leaves.all for p, inside in leaf.path.items() if p in apart}:
            within = _within(apart[position].mismatch, inside)
            number, first = _alike(np.packbits(within, axis=1))
            found = classes[position, inside] = []
            for preference in first[within[first].any(axis=1)]:
                found.append((len(tutors) + len(self._flags), len(columns)))
                self._flags.append((position, number == number[preference]))
                columns.append(within[preference])
        values, of_students, of_tutors = [], [], []
        for leaf in leaves.all:
            alone = [(p, inside) for p, inside in leaf.path.items() if p in self._own]
            theirs = [(p, inside) for p, inside in leaf.path.items() if p in own]
            for chosen in product(*(classes[p, inside] for p, inside in leaf.path.items() if p in apart)):
                values.append(leaf.value)
                of_students.append([*alone, *((student, FLAGGED) for student, _ in chosen)])
                of_tutors.append([*theirs, *((tutor, FLAGGED) for _, tutor in chosen)])
        conditions, tiles = _Conjunctions(of_tutors), _tiles(tutors.shape[1])
        fits = np.hstack([
            np.packbits(conditions.hold(np.stack([column[tile] for column in columns])), axis=1) for tile in tiles
        ])  # fmt: skip
        # Many terms fit the same tutors: they share a row.
        row, first = _alike(fits)
        self._fits = fits[first]
        order = np.argsort(row, kind="stable")
        self._starts = np.searchsorted(row[order], np.arange(len(first)))
        self._conditions = _Conjunctions([of_students[term] for term in order])
        self._values = _rounded(np.array(values)[order, np.newaxis])
        nothing = np.zeros(tutors.shape[1])
        self._straight = np.stack([
            nothing + 1,
            sum((_term(linear, p, tutors[p]) for p in own), nothing + _rounded(linear.intercept)),
            *(_term(linear, p, column) for p, each in apart.items() for column in each.mismatch),
        ])  # fmt: skip

    def margins(self, students: Floats) -> Floats:
        """(students, tutors), for (features, students): at the position of a feature about students alone its value in
        single precision, at that of a mismatch the student's preference; the others do not matter."""
        count, tutors = students.shape[1], self._straight.shape[1]
        preference = {p: np.searchsorted(each.preferences, students[p]) for p, each in self._apart.items()}
        columns = np.vstack([students, *(has[preference[p]] for p, has in self._flags)])
        nothing = np.zeros(count)
        given = np.vstack([
            sum((_term(self._linear, p, students[p]) for p in self._own), nothing),
            nothing + 1,
            *(np.arange(len(each.preferences))[:, np.newaxis] == preference[p] for p, each in self._apart.items()),
            np.add.reduceat(self._conditions.hold(columns) * self._values, self._starts, axis=0),
        ]).T  # fmt: skip
        answer = np.empty((count, tutors))
        for tile in _tiles(tutors):
            straight = self._straight[:, tile]
            fits = np.unpackbits(self._fits[:, tile.start // 8 : tile.stop // 8], axis=1, count=straight.shape[1])
            answer[:, tile] = given @ np.vstack([straight, fits])
        return answer


class _Conjunctions:
    """Conditions that have to hold together, of many kinds, looked at for many people at once."""

    def __init__(self, conjunctions: Sequence[Sequence[Condition]]) -> None:
        places: dict[Condition, int] = {(0, Interval()): 0}  # holds always: for conjunctions shorter than others
        width = max(1, *map(len, conjunctions))
        self._places = np.zeros((width, len(conjunctions)), dtype=np.int64)
        for row, conditions in enumerate(conjunctions):
            for column, condition in enumerate(conditions):
                self._places[column, row] = places.setdefault(condition, len(places))
        self._columns = np.array([column for column, _ in places])
        low, high, unknown = np.array([inside for _, inside in places]).T[:, :, np.newaxis]
        self._bounds = low, high, unknown > 0

    def hold(self, columns: Floats) -> Bools:
        """(conjunctions, people), for (columns, people)."""
        flags = _within(columns[self._columns], self._bounds)
        answer: Bools = flags[self._places[0]]
        for places in self._places[1:]:
            answer &= flags[places]
        return answer


def _alike(rows: npt.NDArray[np.uint8]) -> tuple[Integers, Integers]:
    """Numbers from 0, one for all rows that are the same, and where the first of each number is."""
    numbers: dict[bytes, int] = {}
    number = np.array([numbers.setdefault(row.tobytes(), len(numbers)) for row in rows])
    return number, np.unique(number, return_index=True)[1]


def _tiles(tutors: int) -> list[slice]:
    return [slice(start, start + TILE) for start in range(0, tutors, TILE)]


def _within(values: Floats, inside: Interval | tuple[Floats, Floats, Bools]) -> Bools:
    low, high, unknown = inside
    return (values >= low) & (values < high) | np.isnan(values) & unknown


def _term(linear: Linear, position: int, values: Floats) -> Floats:
    return _rounded(linear.term(values, position))


def _rounded(values: Floats | float) -> Floats:
    return np.asarray(np.round(np.divide(values, STEP)) * STEP)
