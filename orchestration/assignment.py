"""Who should be taught by whom: the people of the marts, the champion's probabilities, and the assignment."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

import numpy as np

from core.database import Database
from core.errors import TutorqError
from core.settings import Settings
from ml.assign import NOBODY, Plan, assign
from ml.features import risk_level
from ml.predictions import churn_matrix
from ml.registry import champion


@dataclass(frozen=True)
class Pair:
    """A student with the tutor of the best plan; ids as delivered."""

    student: str
    tutor: str
    churn_probability: float
    risk_level: str
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """The best plan, who is left, and what this and the obvious ways come to: (students, expected to leave)."""

    model: str
    pairs: list[Pair]
    unassigned: dict[str, str]
    expected: dict[str, tuple[int, float]]

    def to_dict(self) -> dict[str, Any]:
        expected = {name: {"students": students, "churn": churn} for name, (students, churn) in self.expected.items()}
        return {**asdict(self), "expected": expected}


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

    Raises TutorqError if a fixed or forbidden pair names somebody who takes no part, or pairs contradict each other.
    """
    model = champion(settings, database, "match").model
    student_ids, tutor_ids, churn = churn_matrix(database, model, students=students, tutors=tutors)
    with database.connect() as connection:
        people = {
            row[0]: row
            for row in connection.execute(
                """
                select student_id as id, coalesce(external_id, student_id::text), subjects, null::int, null::bigint
                from marts.match_students
                union all
                select tutor_id, coalesce(external_id, tutor_id::text), subjects, free_capacity, tutor_sessions_90d
                from marts.match_tutors
                """
            ).fetchall()
        }
    places = {person: position for ids in (student_ids, tutor_ids) for position, person in enumerate(ids)}
    room = [people[tutor][3] if people[tutor][3] is not None else unknown_capacity for tutor in tutor_ids]
    found = assign(
        churn,
        np.array(room, dtype=np.int64),
        eligible=_share_a_subject(people, student_ids, tutor_ids) if require_subject else None,
        fixed=[_positions(places, pair) for pair in fixed],
        forbidden=[_positions(places, pair) for pair in forbidden],
        is_new_tutor=np.array([people[tutor][4] == 0 for tutor in tutor_ids], dtype=np.bool_),
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
            Pair(people[student_ids[position]][1], people[tutor_ids[int(chosen)]][1], probability, level, remarks)
        )
    return Answer(
        model=model.version,
        pairs=pairs,
        unassigned={people[student_ids[position]][1]: reason for position, reason in found.unassigned.items()},
        expected={name: _summary(each) for name, each in
                  (("assigned", found.best), ("greedy", found.greedy), ("random", found.random))},
    )  # fmt: skip


def _summary(of: Plan) -> tuple[int, float]:
    return of.students, round(of.expected_churn, 3)


def _positions(places: dict[UUID, int], pair: tuple[UUID, UUID]) -> tuple[int, int]:
    for person in pair:
        if person not in places:
            raise TutorqError(f"{person} takes no part: not active, or not among those to be assigned")
    return places[pair[0]], places[pair[1]]


def _share_a_subject(people: dict[UUID, Any], students: list[UUID], tutors: list[UUID]) -> Any:
    """(students, tutors): whether they have a subject in common, in any case; without subjects one has none."""
    vocabulary = sorted({subject.casefold() for person in people.values() for subject in person[2]})
    column = {subject: position for position, subject in enumerate(vocabulary)}

    def flags(ids: list[UUID]) -> Any:
        matrix = np.zeros((len(ids), len(vocabulary)), dtype=np.float32)
        for row, person in enumerate(ids):
            for subject in people[person][2]:
                matrix[row, column[subject.casefold()]] = 1
        return matrix

    return flags(students) @ flags(tutors).T > 0
