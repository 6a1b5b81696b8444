"""All pairs of students and tutors, a block at a time: from arrays of people to arrays of predictions.

A block is some students with every tutor. Blocks have a bounded number of rows and share one matrix, so memory stays
flat however many pairs there are.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from ml.features import MATCH, Floats, Integers, Matrix, Preferences, compatibility, mismatches
from ml.model import Model

Ids = npt.NDArray[np.uint8]  # (people, 16): the bytes of UUIDs

BUCKETS = 16
BLOCK_ROWS = 32_768


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
    continuation_rate: Floats

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
    reschedule_rate: Floats
    no_show_rate: Floats
    continuation_rate: Floats
    rating: Floats

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, chosen: Integers | slice) -> "Tutors":
        return Tutors(*(getattr(self, field.name)[chosen] for field in fields(Tutors)))


@dataclass(frozen=True)
class Block:
    """Predictions of pairs, in rows: the first student with every tutor, then the next student.

    `mismatches` and the other columns are single precision, as they are stored; NaN = unknown.
    """

    students: Ids
    tutors: Ids
    probability: Matrix  # (rows,)
    compatibility: Matrix  # (rows,)
    mismatches: dict[str, Matrix]  # (rows,) each

    def __len__(self) -> int:
        return len(self.probability)


def bucket_of(ids: Ids) -> Integers:
    """(people,): which partition of the predictions holds each student; as ml.student_bucket in SQL."""
    return ids[:, 15].astype(np.int64) % BUCKETS


def score(model: Model, students: Students, tutors: Tutors, *, block_rows: int = BLOCK_ROWS) -> Iterator[Block]:
    """The predictions of every student with every tutor; blocks of at most `block_rows` rows, or of one student.

    The model must take the features of MATCH, in any order.
    """
    if not len(students) or not len(tutors):
        return
    per_block = max(1, min(block_rows // len(tutors), len(students)))
    frame = _Frame(model, tutors, per_block)
    for start in range(0, len(students), per_block):
        yield frame.score(students[start : start + per_block])


def matrix(model: Model, students: Students, tutors: Tutors) -> Matrix:
    """(students x tutors, features): what the model is asked about these pairs, in the order of a block."""
    return _Frame(model, tutors, len(students)).fill(students)[0]


class _Frame:
    """The matrix of a block. What is about tutors alone is written once and stays."""

    def __init__(self, model: Model, tutors: Tutors, most_students: int) -> None:
        if set(model.features) != set(MATCH.names):
            raise ValueError(f"{model.version} is not for pairs: it takes {', '.join(model.features)}")
        self._model = model
        self._tutors = tutors
        self._preferences = Preferences(tutors.pace, tutors.style, tutors.communication, tutors.age)
        self._matrix = np.empty((most_students, len(tutors), len(model.features)), dtype=np.float32)
        self._position = {name: position for position, name in enumerate(model.features)}
        self._put("tutor_experience_years", tutors.experience_years)
        self._put("tutor_sessions_90d", tutors.sessions_90d)
        self._put("tutor_reschedule_rate", tutors.reschedule_rate)
        self._put("tutor_no_show_rate", tutors.no_show_rate)
        self._put("tutor_continuation_rate", tutors.continuation_rate)
        self._put("tutor_rating", tutors.rating)
        # When a pair will meet is not known yet.
        self._put("lead_hours", np.full(len(tutors), model.fill.get("lead_hours", np.nan)))

    def score(self, students: Students) -> Block:
        rows, mismatch = self.fill(students)
        return Block(
            students=students.ids,
            tutors=self._tutors.ids,
            probability=self._model.predict(rows).astype(np.float32),
            compatibility=compatibility(mismatch).astype(np.float32).reshape(-1),
            mismatches={name: values.astype(np.float32).reshape(-1) for name, values in mismatch.items()},
        )

    def fill(self, students: Students) -> tuple[Matrix, dict[str, Floats]]:
        """The rows of these students, (students x tutors, features), and their mismatches, (students, tutors) each.
        The next call writes over the rows."""
        count = len(students)
        pace, style, communication, age = (
            column[:, np.newaxis] for column in (students.pace, students.style, students.communication, students.age)
        )
        mismatch = mismatches(Preferences(pace, style, communication, age), self._preferences)
        for name, values in mismatch.items():
            self._matrix[:count, :, self._position[name]] = values
        for name, column in (
            ("student_age", students.age),
            ("student_urgency", students.urgency),
            ("student_first_meetings", students.first_meetings),
            ("student_continuation_rate", students.continuation_rate),
        ):
            self._matrix[:count, :, self._position[name]] = column[:, np.newaxis]
        return self._matrix[:count].reshape(count * len(self._tutors), -1), mismatch

    def _put(self, name: str, column: Floats) -> None:
        self._matrix[:, :, self._position[name]] = column
