"""All pairs of students and tutors, a block at a time: from arrays of people to arrays of predictions.

A block is some students with every tutor. Blocks have a bounded number of rows, so memory stays flat however many pairs
there are.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Self
from uuid import UUID

import numpy as np
import numpy.typing as npt

from ml.features import MATCH, Floats, Integers, Matrix, Preferences, compatibility, mismatches
from ml.model import BoostedModel, Model
from ml.pair_sums import Apart, PairSums

Ids = npt.NDArray[np.uint8]  # (people, 16): the bytes of UUIDs

BUCKETS = 16
BLOCK_ROWS = 131_072
# Fewer are not worth the hundredth of a second that it takes to set the product up.
FEW_PAIRS = 2_000
AT_A_TIME = 128  # students of a product of matrices


@dataclass(frozen=True)
class Students:
    """Arrays of an entry per student; NaN = unknown."""

    ids: Ids
    pace: Floats
    style: Floats
    communication: Floats
    age: Floats
    urgency: Floats
    first_meetings: Floats
    pending_meetings: Floats
    continuation_rate: Floats
    sessions_per_pair: Floats
    rating_given: Floats

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, chosen: Integers | slice) -> "Students":
        return Students(*(getattr(self, field.name)[chosen] for field in fields(Students)))


@dataclass(frozen=True)
class Tutors:
    """Arrays of an entry per tutor; NaN = unknown."""

    ids: Ids
    pace: Floats
    style: Floats
    communication: Floats
    age: Floats
    experience_years: Floats
    sessions_90d: Floats
    let_down_rate: Floats
    reschedule_rate: Floats
    no_show_rate: Floats
    continuation_rate: Floats
    rating: Floats
    rating_all_time: Floats

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, chosen: Integers | slice) -> "Tutors":
        return Tutors(*(getattr(self, field.name)[chosen] for field in fields(Tutors)))


# By feature, the field of one person that it is.
OF_STUDENT = {
    "student_age": "age",
    "student_urgency": "urgency",
    "student_first_meetings": "first_meetings",
    "student_pending_meetings": "pending_meetings",
    "student_continuation_rate": "continuation_rate",
    "student_sessions_per_pair": "sessions_per_pair",
    "student_rating_given": "rating_given",
}
OF_TUTOR = {
    "tutor_experience_years": "experience_years",
    "tutor_sessions_90d": "sessions_90d",
    "tutor_let_down_rate": "let_down_rate",
    "tutor_reschedule_rate": "reschedule_rate",
    "tutor_no_show_rate": "no_show_rate",
    "tutor_continuation_rate": "continuation_rate",
    "tutor_rating": "rating",
    "tutor_rating_all_time": "rating_all_time",
}
# And the preference of both that it compares.
BETWEEN = {
    "pace_mismatch": "pace",
    "style_mismatch": "style",
    "communication_mismatch": "communication",
    "age_mismatch": "age",
}


@dataclass(frozen=True)
class Block:
    """Predictions of pairs, in rows: the first student with every tutor, then the next student."""

    students: Ids
    tutors: Ids
    probability: Matrix  # (rows,)
    _apart: tuple[Preferences, Preferences]  # of the students (students, 1) and of the tutors (tutors,)

    @classmethod
    def of(cls, students: Students, tutors: Tutors, probability: Matrix) -> Self:
        return cls(students.ids, tutors.ids, probability, (preferences(students, column=True), preferences(tutors)))

    def __len__(self) -> int:
        return len(self.probability)

    @cached_property
    def mismatches(self) -> dict[str, Matrix]:
        """(rows,) each, NaN = unknown; what marts.match_predictions shows."""
        return {name: values.astype(np.float32).reshape(-1) for name, values in mismatches(*self._apart).items()}

    @cached_property
    def compatibility(self) -> Matrix:
        """(rows,); what marts.match_predictions shows."""
        return compatibility(mismatches(*self._apart)).astype(np.float32).reshape(-1)


def uuids(ids: Ids) -> list[UUID]:
    return [UUID(bytes=row.tobytes()) for row in ids]


def bucket_of(ids: Ids) -> Integers:
    """(people,): which partition of the predictions holds each student; as ml.student_bucket in SQL."""
    return ids[:, 15].astype(np.int64) % BUCKETS


def score(model: Model, students: Students, tutors: Tutors, *, block_rows: int = BLOCK_ROWS) -> Iterator[Block]:
    """The predictions of every student with every tutor; blocks of at most `block_rows` rows, or of one student.

    The model must take features of MATCH, in any order; one of an earlier version may lack some of them.
    """
    return PairScorer(model, students, tutors).score(students, block_rows=block_rows)


def matrix(model: Model, students: Students, tutors: Tutors) -> Matrix:
    """(students x tutors, features): what the model is asked about these pairs, in the order of a block."""
    return _Frame(model, tutors, len(students)).fill(students)


class PairScorer:
    """Predicts pairs of these students and tutors. Safe to share between threads.

    A pair has the same probability to the last bit, whoever else is predicted with it. It is that of
    `model.predict(matrix(…))` but for the last digits of single precision, in which XGBoost adds up trees.
    """

    def __init__(self, model: Model, students: Students, tutors: Tutors) -> None:
        """`students`: all that will be asked for."""
        _check(model)
        self._model, self._tutors = model, tutors
        self._sums = None
        if isinstance(model, BoostedModel) and len(students) * len(tutors) > FEW_PAIRS:
            self._sums = _sums(model, students, tutors)

    def score(self, students: Students, *, block_rows: int = BLOCK_ROWS) -> Iterator[Block]:
        """As `score`, of some of the students."""
        if not len(students) or not len(self._tutors):
            return
        per_block = max(1, min(block_rows // len(self._tutors), len(students)))
        at_a_time = AT_A_TIME if self._sums else per_block
        predict = self._by_sums if self._sums else _Frame(self._model, self._tutors, per_block).predict
        for first in range(0, len(students), at_a_time):
            some = students[first : first + at_a_time]
            probability = predict(some).astype(np.float32).reshape(len(some), -1)
            for part in (slice(start, start + per_block) for start in range(0, len(some), per_block)):
                yield Block.of(some[part], self._tutors, probability[part].reshape(-1))

    def _by_sums(self, students: Students) -> Floats:
        """(rows,)"""
        assert isinstance(self._model, BoostedModel)
        assert self._sums is not None
        values = np.zeros((len(self._model.features), len(students)))
        for position, name in enumerate(self._model.features):
            if name in OF_STUDENT:
                values[position] = getattr(students, OF_STUDENT[name]).astype(np.float32)
            elif name in BETWEEN:
                values[position] = getattr(students, BETWEEN[name])
        return self._model.calibration.apply(self._sums.margins(values)).reshape(-1)


def _sums(model: BoostedModel, students: Students, tutors: Tutors) -> PairSums:
    values, own, apart = np.zeros((len(model.features), len(tutors))), [], {}
    for position, name in enumerate(model.features):
        if name in BETWEEN:
            different = np.unique(getattr(students, BETWEEN[name]))
            nothing = np.full((1, 1), np.nan)
            asked = replace(Preferences(*[nothing] * 4), **{BETWEEN[name]: different[:, np.newaxis]})
            mismatch = mismatches(asked, preferences(tutors))[name]
            apart[position] = Apart(different, mismatch.astype(np.float32).astype(np.float64))
        elif name not in OF_STUDENT:
            own.append(position)
            values[position] = _of_tutors(model, tutors, name).astype(np.float32)
    return PairSums(model.linear, model.leaves, values, own, apart)


def _of_tutors(model: Model, tutors: Tutors, name: str) -> Floats:
    """(tutors,): what the model is asked about tutors alone."""
    if name in OF_TUTOR:
        values: Floats = getattr(tutors, OF_TUTOR[name])
        return values
    # When a pair will meet is not known yet.
    return np.full(len(tutors), model.fill.get(name, np.nan))


def preferences(people: Students | Tutors, *, column: bool = False) -> Preferences:
    """Of (people,), or with `column` of (people, 1)."""
    shape = (-1, 1) if column else -1
    return Preferences(*(getattr(people, field.name).reshape(shape) for field in fields(Preferences)))


def _check(model: Model) -> None:
    if not set(model.features) <= set(MATCH.names):
        raise ValueError(f"{model.version} is not for pairs: it takes {', '.join(model.features)}")


class _Frame:
    """The matrix of a block. What is about tutors alone is written once and stays."""

    def __init__(self, model: Model, tutors: Tutors, most_students: int) -> None:
        _check(model)
        self._model = model
        self._tutors = tutors
        self._matrix = np.empty((most_students, len(tutors), len(model.features)), dtype=np.float32)
        for position, name in enumerate(model.features):
            if name not in OF_STUDENT and name not in BETWEEN:
                self._matrix[:, :, position] = _of_tutors(model, tutors, name)

    def predict(self, students: Students) -> Floats:
        """(rows,)"""
        rows, model = self.fill(students), self._model
        if isinstance(model, BoostedModel):
            return model.calibration.apply(model.leaves.margins(model.linear, rows))
        return model.predict(rows)

    def fill(self, students: Students) -> Matrix:
        """The rows of these students, (students x tutors, features). The next call writes over them."""
        count = len(students)
        apart = mismatches(preferences(students, column=True), preferences(self._tutors))
        for position, name in enumerate(self._model.features):
            if name in OF_STUDENT:
                self._matrix[:count, :, position] = getattr(students, OF_STUDENT[name])[:, np.newaxis]
            elif name in BETWEEN:
                self._matrix[:count, :, position] = apart[name]
        return self._matrix[:count].reshape(count * len(self._tutors), -1)
