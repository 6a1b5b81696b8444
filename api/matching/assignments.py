"""Assignments: from a request that names people to the plan with the least expected churn, and back to people."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from uuid import UUID, uuid4

import numpy as np
from pydantic import BaseModel

from api import bodies
from api.callers import AnyCaller
from api.database import Marts, Statement, columns
from api.matching.queries import TUTORS
from api.matching.schemas.assignments import (
    MOST_STUDENTS,
    MOST_TUTORS,
    AssignedPair,
    Assignment,
    AssignmentPair,
    AssignmentRequest,
    PlanFigures,
    UnassignedStudent,
)
from api.matching.schemas.people import MatchStudent, MatchTutor
from api.matching.scoring import Grid, Scorer, as_stored
from api.matching.version import MATCH_VERSION, SOURCE
from api.problems import FieldError, InvalidRequestError
from api.turns import Turns
from ingest.ids import entity_uuid
from ml import explain
from ml.assign import NEW_TUTOR_SESSIONS, NOBODY, Unassigned, assign
from ml.features import Bools, Integers, Matrix
from ml.model import Model
from ml.offers import PENDING

# What one process computes within seconds, in some hundred megabytes.
MOST_PAIRS = 2_500_000
# Students times places.
MOST_CELLS = 15_000_000
# Of one process: more at the same time would all be slow. One key alone never has all of them.
AT_A_TIME = 2
PER_KEY = 1
PATIENCE_SECONDS = 20
# Requests in memory, also those that are read or wait, of one key and in all.
REQUESTS_PER_KEY = 2
REQUESTS_IN_MEMORY = 8

PEOPLE = f"""
with pending as materialized (
    {PENDING.format(days="$6")}
),

students as (
    select {columns(MatchStudent, "people")}
    from marts.match_students as people
    where case
            when $1::uuid[] is null then
                people.is_active
                and (
                    not $5::boolean
                    or people.needs_tutor and people.student_id not in (select student_id from pending)
                )
            else people.student_id = any($1)
        end
    order by people.student_id
    limit $3
),

tutors as (
    select {columns(MatchTutor, "people")}
    from {TUTORS} as people
    where people.is_active and ($2::uuid[] is null or people.tutor_id = any($2))
    order by people.tutor_id
    limit $4
)

select
    {MATCH_VERSION},
    json_build_object(
        'students', coalesce((select json_agg(students) from students), '[]'),
        'tutors', coalesce((select json_agg(tutors) from tutors), '[]'),
        'pending', coalesce((select json_agg(pending) from pending), '[]')
    )
from {SOURCE}
"""

WHY_NOBODY: dict[Unassigned, str] = {
    "no_eligible_tutor": "No tutor who may be chosen teaches a subject of the student.",
    "forbidden": "The request forbids every tutor who could be chosen.",
    "no_capacity": "All tutors who could be chosen are full.",
    "places_taken": "Other students got the last places of the tutors who could be chosen.",
}
ON_REQUEST = "Fixed in the request"
EXPLORATION = "Drawn to give a tutor with little history a chance"


class _Pending(BaseModel):
    """A pair that was accepted, and has had no session since."""

    student_id: UUID
    tutor_id: UUID


class _People(BaseModel):
    """What the query gives."""

    students: list[MatchStudent]
    tutors: list[MatchTutor]
    pending: list[_Pending]


class _Problem:
    """The request in positions: students are rows, tutors are columns.

    Raises:
        InvalidRequestError: it names nobody, contradicts itself, or is too large.
    """

    def __init__(self, request: AssignmentRequest, people: _People) -> None:
        self.students, self.tutors = people.students, people.tutors
        self._rows = {student.student_id: at for at, student in enumerate(self.students)}
        self._columns = {tutor.tutor_id: at for at, tutor in enumerate(self.tutors)}
        self._faults: list[FieldError] = []
        for at, student_id in enumerate(request.student_ids or ()):
            self._place(self._rows, student_id, f"student_ids.{at}", "There is no student with this id")
        for at, tutor_id in enumerate(request.tutor_ids or ()):
            self._place(self._columns, tutor_id, f"tutor_ids.{at}", "There is no active tutor with this id")
        self.capacity = self._capacities(request, people.pending)
        self.fixed = self._pairs(request.fixed, "fixed")
        self.forbidden = self._pairs(request.forbidden, "forbidden")
        if not self._faults:
            self._check_fixed()
        if self._faults:
            raise bodies.invalid(self._faults)
        places = int(np.minimum(self.capacity, len(self.students)).sum())
        if (
            len(self.students) > MOST_STUDENTS
            or len(self.tutors) > MOST_TUTORS
            or len(self.students) * len(self.tutors) > MOST_PAIRS
            or len(self.students) * places > MOST_CELLS
        ):
            raise InvalidRequestError(
                f"Too many for one request: at most {MOST_STUDENTS:,} students, {MOST_TUTORS:,} tutors, {MOST_PAIRS:,} "
                f"pairs of them, and {MOST_CELLS:,} times a student and a place."
            )

    def eligible(self) -> Bools:
        """(students, tutors): whether the two share a subject; who names none fits everybody."""
        subjects = {name: at for at, name in enumerate({name for each in self.students for name in each.subjects})}
        wanted = _marks([each.subjects for each in self.students], subjects)
        taught = _marks([each.subjects for each in self.tutors], subjects)
        names_none = np.array([not each.subjects for each in self.tutors], dtype=np.bool_)
        shared: Bools = (wanted @ taught.T > 0) | ~wanted.any(axis=1, keepdims=True) | names_none
        return shared

    def is_new(self) -> Bools:
        """(tutors,): who has little history."""
        return np.array([tutor.tutor_sessions_90d < NEW_TUTOR_SESSIONS for tutor in self.tutors], dtype=np.bool_)

    def _capacities(self, request: AssignmentRequest, pending: Sequence[_Pending]) -> Integers:
        """(tutors,) places, but for those that other students were given before and have not come to yet."""
        known = [
            request.default_capacity if tutor.free_capacity is None else tutor.free_capacity for tutor in self.tutors
        ]
        capacity: Integers = np.array(known, dtype=np.int64)
        for at, override in enumerate(request.capacities):
            column = self._place(self._columns, override.tutor_id, f"capacities.{at}.tutor_id", _NOT_A_TUTOR)
            if column is not None:
                capacity[column] = override.capacity
        for pair in pending:
            column = self._columns.get(pair.tutor_id)
            if column is not None and pair.student_id not in self._rows:
                capacity[column] = max(0, capacity[column] - 1)
        return capacity

    def _pairs(self, pairs: Sequence[AssignmentPair], field: str) -> list[tuple[int, int]]:
        found = []
        for at, pair in enumerate(pairs):
            row = self._place(self._rows, pair.student_id, f"{field}.{at}.student_id", _NOT_A_STUDENT)
            column = self._place(self._columns, pair.tutor_id, f"{field}.{at}.tutor_id", _NOT_A_TUTOR)
            if row is not None and column is not None:
                found.append((row, column))
        return found

    def _check_fixed(self) -> None:
        forbidden = set(self.forbidden)
        seen: set[int] = set()
        taken: Counter[int] = Counter()
        for at, (row, column) in enumerate(self.fixed):
            taken[column] += 1
            if (row, column) in forbidden:
                self._fault(f"fixed.{at}", "This pair is forbidden, too")
            elif row in seen:
                self._fault(f"fixed.{at}.student_id", "This student is fixed to a tutor already")
            elif taken[column] > self.capacity[column]:
                self._fault(f"fixed.{at}.tutor_id", f"This tutor has {self.capacity[column]} places only")
            seen.add(row)

    def _place(self, places: dict[UUID, int], person_id: str, field: str, message: str) -> int | None:
        place = places.get(entity_uuid(person_id))
        if place is None:
            self._fault(field, message)
        return place

    def _fault(self, field: str, message: str) -> None:
        self._faults.append(FieldError(field=field, message=message))


_NOT_A_STUDENT = "This student is not among those to be assigned"
_NOT_A_TUTOR = "This tutor is not among those to be chosen from"


def _marks(subjects: Sequence[Sequence[str]], places: dict[str, int]) -> Matrix:
    """(people, subjects): 1 where a person has a subject."""
    marks = np.zeros((len(subjects), len(places)), dtype=np.float32)
    for row, names in enumerate(subjects):
        marks[row, [places[name] for name in names if name in places]] = 1
    return marks


class Assignments:
    """Computes assignments, in a thread: the event loop goes on."""

    def __init__(self, marts: Marts, scorer: Scorer, pending_days: int) -> None:
        self._marts = marts
        self._scorer = scorer
        self._pending_days = pending_days
        self._computed = Turns("assignments", per_key=PER_KEY, in_all=AT_A_TIME)
        self._requests = Turns("requests for assignments", per_key=REQUESTS_PER_KEY, in_all=REQUESTS_IN_MEMORY)

    def turn(self, caller: AnyCaller) -> AbstractAsyncContextManager[None]:
        """To be held from before the body is read until the answer is there.

        Raises:
            TooManyAtOnceError, OverloadedError: other requests take too long.
        """
        return self._requests.turn(caller, PATIENCE_SECONDS)

    async def assign(self, request: AssignmentRequest, caller: AnyCaller) -> Assignment:
        """
        Raises:
            InvalidRequestError: it names nobody, contradicts itself, or is too large.
            TooManyAtOnceError, OverloadedError: others are being computed, and that takes too long.
        """
        async with self._computed.turn(caller, PATIENCE_SECONDS):
            people = await self._people(request)
            by = await self._scorer.champion()
            return await asyncio.to_thread(self._solve, request, people, by.model)

    async def _people(self, request: AssignmentRequest) -> _People:
        read = await self._marts.read(
            Statement(
                PEOPLE,
                (
                    _ids(request.student_ids),
                    _ids(request.tutor_ids),
                    MOST_STUDENTS + 1,
                    MOST_TUTORS + 1,
                    request.needs_tutor,
                    self._pending_days,
                ),
            )
        )
        assert read.body is not None
        return _People.model_validate_json(read.body)

    def _solve(self, request: AssignmentRequest, people: _People, model: Model) -> Assignment:
        started = time.perf_counter()
        problem = _Problem(request, people)
        grid = Grid(model, problem.students, problem.tutors)
        eligible = problem.eligible() if request.require_subject else None
        solved = assign(
            grid.churn,
            problem.capacity,
            eligible=eligible,
            forbidden=problem.forbidden,
            fixed=problem.fixed,
            is_new_tutor=problem.is_new(),
            exploration_share=request.exploration_share,
            seed=request.seed,
        )
        rows = np.flatnonzero(solved.best.tutor != NOBODY)
        places, choices = _ranks(grid.churn, eligible, rows, solved.best.tutor[rows])
        pairs = []
        for at, (row, found) in enumerate(
            zip(rows.tolist(), grid.contributions(rows, solved.best.tutor[rows]), strict=True)
        ):
            student, tutor = problem.students[row], problem.tutors[solved.best.tutor[row]]
            is_fixed, is_exploration = bool(solved.is_fixed[row]), bool(solved.is_exploration[row])
            why = [ON_REQUEST] if is_fixed else [EXPLORATION] if is_exploration else []
            probability = as_stored(grid.churn[row, solved.best.tutor[row]])
            pairs.append(
                AssignedPair(
                    student_id=student.student_id,
                    student_name=student.name,
                    tutor_id=tutor.tutor_id,
                    tutor_name=tutor.name,
                    tutor_attention=tutor.attention,
                    tutor_concerns=tutor.concerns,
                    churn_probability=probability,
                    risk_level=self._scorer.risk_level(probability),
                    rank=int(places[at]),
                    rank_of=int(choices[at]),
                    compatibility_score=as_stored(grid.compatibility[row, solved.best.tutor[row]]),
                    is_fixed=is_fixed,
                    is_exploration=is_exploration,
                    reasons=why + explain.reasons(found),
                )
            )
        return Assignment(
            plan_id=uuid4(),
            pairs=pairs,
            unassigned=[
                UnassignedStudent(
                    student_id=problem.students[row].student_id,
                    external_id=problem.students[row].external_id,
                    student_name=problem.students[row].name,
                    subjects=problem.students[row].subjects,
                    why=why,
                    reason=WHY_NOBODY[why],
                )
                for row, why in sorted(solved.unassigned.items())
            ],
            expected_churn=PlanFigures(
                assigned=solved.best.expected_churn,
                greedy=solved.greedy.expected_churn,
                random=solved.random.expected_churn,
            ),
            students_with_tutor=PlanFigures(
                assigned=solved.best.students, greedy=solved.greedy.students, random=solved.random.students
            ),
            students=len(problem.students),
            tutors=len(problem.tutors),
            model_version=model.version,
            seconds=round(time.perf_counter() - started, 3),
        )


def _ranks(churn: Matrix, eligible: Bools | None, rows: Integers, chosen: Integers) -> tuple[Integers, Integers]:
    """Of the pairs (rows[i], chosen[i]): the tutor's place by risk among those who fit the student, and how many."""
    fits: Bools = np.ones((len(rows), churn.shape[1]), dtype=np.bool_) if eligible is None else eligible[rows]
    fits[np.arange(len(rows)), chosen] = True  # a fixed pair stands whatever the subjects
    lower = (churn[rows] < churn[rows, chosen][:, np.newaxis]) & fits
    return lower.sum(axis=1) + 1, fits.sum(axis=1)


def _ids(named: Sequence[str] | None) -> list[UUID] | None:
    return None if named is None else [entity_uuid(person_id) for person_id in named]
