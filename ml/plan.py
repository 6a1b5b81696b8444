"""Who should be taught by whom: the people of the marts, the champion's probabilities, and the assignment."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, LiteralString
from uuid import UUID

import numpy as np
import psycopg

from core.database import Database
from core.errors import TutorqError
from core.settings import Settings
from ml.assign import NEW_TUTOR_SESSIONS, NOBODY, Plan, assign
from ml.features import Bools, Matrix, risk_level
from ml.model import Model
from ml.offers import pending
from ml.pairs import score, uuids
from ml.people import read_students, read_tutors
from ml.registry import champion


@dataclass(frozen=True)
class Pair:
    """A student with the tutor of the best plan; `student` and `tutor` are ids as delivered."""

    student_id: UUID
    tutor_id: UUID
    student: str
    tutor: str
    churn_probability: float
    risk_level: str
    is_fixed: bool
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """The best plan, who is left, and what this and the obvious ways come to: (students, expected to leave).
    `lost_model`: why the promoted model did not answer, None if it did or there is none."""

    model: str
    lost_model: str | None
    pairs: list[Pair]
    unassigned: dict[str, str]
    expected: dict[str, tuple[int, float]]

    def to_dict(self) -> dict[str, Any]:
        expected = {name: {"students": students, "churn": churn} for name, (students, churn) in self.expected.items()}
        return {**asdict(self), "expected": expected}


@dataclass(frozen=True)
class _Person:
    """The name is the id as delivered. Places and sessions are of tutors only; None = unknown."""

    name: str
    subjects: list[str]
    free_capacity: int | None
    sessions_90d: int


STUDENTS: LiteralString = """
select student_id, coalesce(external_id, student_id::text), subjects, null, 0
from marts.match_students
where student_id = any(%s)
"""
TUTORS: LiteralString = """
select tutor_id, coalesce(external_id, tutor_id::text), subjects, free_capacity, tutor_sessions_90d
from marts.match_tutors
where tutor_id = any(%s)
"""


def plan(
    settings: Settings,
    database: Database,
    *,
    students: Sequence[UUID],
    tutors: Sequence[UUID],
    fixed: Sequence[tuple[UUID, UUID]],
    forbidden: Sequence[tuple[UUID, UUID]],
    unknown_capacity: int,
    require_subject: bool,
    exploration_share: float,
    seed: int,
) -> Answer:
    """The assignment of these students to these tutors (all active ones, where none are named) with free places.

    Raises TutorqError if somebody who is not active is named, or a fixed or forbidden pair names somebody who takes no
    part, or pairs contradict each other.
    """
    by = champion(settings, database, "match")
    model = by.model
    student_ids, tutor_ids, churn = churn_matrix(database, model, students=students, tutors=tutors)
    # Apart from each other: a student and a tutor who are both called 17 have one UUID.
    rows = {person: position for position, person in enumerate(student_ids)}
    columns = {person: position for position, person in enumerate(tutor_ids)}
    for named, places in ((students, rows), (tutors, columns)):
        for person in named:
            _place(places, person)
    with database.connect() as connection:
        about_student = _about(connection, STUDENTS, student_ids)
        about_tutor = _about(connection, TUTORS, tutor_ids)
        spoken_for = Counter(
            columns[tutor]
            for student, tutor in pending(connection, settings.offer_days)
            if student not in rows and tutor in columns
        )
    free = [unknown_capacity if each.free_capacity is None else each.free_capacity for each in about_tutor]
    room = [max(0, places - spoken_for[position]) for position, places in enumerate(free)]
    found = assign(
        churn,
        np.array(room, dtype=np.int64),
        eligible=_share_a_subject(about_student, about_tutor) if require_subject else None,
        fixed=[(_place(rows, student), _place(columns, tutor)) for student, tutor in fixed],
        forbidden=[(_place(rows, student), _place(columns, tutor)) for student, tutor in forbidden],
        is_new_tutor=np.array([each.sessions_90d < NEW_TUTOR_SESSIONS for each in about_tutor], dtype=np.bool_),
        exploration_share=exploration_share,
        seed=seed,
    )
    pairs = []
    for position, chosen in enumerate(found.best.tutor):
        if chosen == NOBODY:
            continue
        probability = float(churn[position, chosen])
        marks = {"fixed": found.is_fixed[position], "tries a new tutor": found.is_exploration[position]}
        remarks = tuple(mark for mark, is_set in marks.items() if is_set)
        level = risk_level(probability, settings.match_medium_risk, settings.match_high_risk)
        pairs.append(
            Pair(
                student_id=student_ids[position],
                tutor_id=tutor_ids[int(chosen)],
                student=about_student[position].name,
                tutor=about_tutor[int(chosen)].name,
                churn_probability=probability,
                risk_level=level,
                is_fixed=bool(found.is_fixed[position]),
                remarks=remarks,
            )
        )
    return Answer(
        model=model.version,
        lost_model=by.lost,
        pairs=pairs,
        unassigned={about_student[position].name: reason for position, reason in found.unassigned.items()},
        expected={name: _summary(each) for name, each in
                  (("assigned", found.best), ("greedy", found.greedy), ("random", found.random))},
    )  # fmt: skip


def churn_matrix(
    database: Database, model: Model, *, students: Sequence[UUID] = (), tutors: Sequence[UUID] = ()
) -> tuple[list[UUID], list[UUID], Matrix]:
    """Active students, active tutors, and the churn probability of each pair (students, tutors), as of this moment;
    of those named, or of all where none are. Nothing is stored."""
    with database.connect() as connection:
        one, other = read_students(connection, list(students) or None), read_tutors(connection, list(tutors) or None)
    parts = [block.probability.reshape(-1, len(other)) for block in score(model, one, other)]
    matrix = np.concatenate(parts) if parts else np.empty((len(one), len(other)), dtype=np.float32)
    return uuids(one.ids), uuids(other.ids), matrix


def _summary(of: Plan) -> tuple[int, float]:
    return of.students, round(of.expected_churn, 3)


def _place(places: dict[UUID, int], person: UUID) -> int:
    if person not in places:
        raise TutorqError(f"{person} takes no part: not active, or not among those to be assigned")
    return places[person]


def _about(connection: psycopg.Connection, query: LiteralString, ids: Sequence[UUID]) -> list[_Person]:
    """In the order of the ids."""
    found = {row[0]: _Person(*row[1:]) for row in connection.execute(query, [list(ids)])}
    return [found[person] for person in ids]


def _share_a_subject(students: Sequence[_Person], tutors: Sequence[_Person]) -> Bools:
    """(students, tutors): whether they have a subject in common, in upper or lower case; who names none fits
    everybody."""
    vocabulary = sorted({subject.casefold() for person in (*students, *tutors) for subject in person.subjects})
    column = {subject: position for position, subject in enumerate(vocabulary)}

    def flags(people: Sequence[_Person]) -> Matrix:
        matrix = np.zeros((len(people), len(vocabulary)), dtype=np.float32)
        for row, person in enumerate(people):
            for subject in person.subjects:
                matrix[row, column[subject.casefold()]] = 1
        return matrix

    wanted, taught = flags(students), flags(tutors)
    shared: Bools = (wanted @ taught.T > 0) | ~wanted.any(axis=1, keepdims=True) | ~taught.any(axis=1)
    return shared
