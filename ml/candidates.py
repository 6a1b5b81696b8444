"""Who could teach whom: active tutors of a subject of the student who have a free place. Worked out by group of
students who name the same subjects, so that a group is scored as one block."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import LiteralString
from uuid import UUID

import numpy as np
import psycopg

from ml.features import Bools, Integers
from ml.pairs import Ids

# Places of a tutor whose capacity nobody has told, as in assignments.
UNKNOWN_PLACES = 1

SUBJECTS: LiteralString = """
select student_id, subjects
from marts.match_students
where is_active and (%(ids)s::uuid[] is null or student_id = any(%(ids)s))
"""
PLACES: LiteralString = "select tutor_id, subjects, free_capacity from marts.match_tutors where is_active"


@dataclass(frozen=True)
class Candidates:
    """Students and tutors by position; a group is all students who name the same subjects."""

    group: Integers  # (students,)
    places: Integers  # (tutors,): free ones, 0 = full
    _wanted: Sequence[Sequence[int]]  # per group, the rows of its subjects in `_teaches`; none = fits everybody
    _teaches: Bools  # (subjects, tutors)
    _names_none: Bools  # (tutors,)

    def __getitem__(self, students: Integers) -> "Candidates":
        return replace(self, group=self.group[students])

    def of_group(self, group: int) -> Integers:
        """The tutors of a group, ascending. Where nobody who fits has a free place, all who fit: a coach can still see
        whom to ask. Worked out when asked for: all groups' together may not fit into memory."""
        wanted = self._wanted[group]
        fits = self._teaches[wanted].any(axis=0) | self._names_none if wanted else np.ones_like(self._names_none)
        free = np.flatnonzero(fits & (self.places > 0))
        return free if len(free) else np.flatnonzero(fits)

    @property
    def groups(self) -> Integers:
        """Those that have students."""
        return np.unique(self.group)

    @property
    def members(self) -> Iterator[tuple[int, Integers]]:
        """Groups with their students, ascending."""
        order = np.argsort(self.group, kind="stable")
        groups, begins = np.unique(self.group[order], return_index=True)
        return zip(groups.tolist(), np.split(order, begins[1:]), strict=True) if len(groups) else iter(())

    @cached_property
    def count(self) -> Integers:
        """(students,): how many candidates each student has."""
        sizes: Integers = np.zeros(len(self._wanted), dtype=np.int64)
        for group in self.groups.tolist():
            sizes[group] = len(self.of_group(group))
        return sizes[self.group]

    def include(self, tutor: int) -> Bools:
        """(students,): whether the tutor is a candidate of each."""
        has_tutor: Bools = np.zeros(len(self._wanted), dtype=np.bool_)
        for group in self.groups.tolist():
            has_tutor[group] = bool((self.of_group(group) == tutor).any())
        return has_tutor[self.group]


def candidates(
    connection: psycopg.Connection, students: Ids, tutors: Ids, *, named: list[UUID] | None = None
) -> Candidates:
    """Of active people, the candidates as of this moment; `named` are the ids of the students, where they are few.

    Subjects are compared as pages compare them: to the letter, and who names none fits everybody. A capacity that
    nobody knows counts as UNKNOWN_PLACES.
    """
    wanted: dict[UUID, list[str]] = dict(connection.execute(SUBJECTS, {"ids": named}).fetchall())
    offered = {person: (subjects, free) for person, subjects, free in connection.execute(PLACES)}
    # Somebody who has left since people were read is without subjects here, and noted as changed.
    of_tutors = [offered.get(UUID(bytes=row.tobytes()), ([], 0)) for row in tutors]
    column = {name: at for at, name in enumerate(sorted({name for subjects, _ in of_tutors for name in subjects}))}
    teaches: Bools = np.zeros((len(column), len(of_tutors)), dtype=np.bool_)
    for tutor, (subjects, _) in enumerate(of_tutors):
        teaches[[column[name] for name in subjects], tutor] = True
    # A subject that nobody teaches has a row of its own, so that it is not taken for none.
    teaches = np.vstack([teaches, np.zeros_like(teaches, shape=(1, len(of_tutors)))])
    numbers: dict[tuple[int, ...], int] = {}
    group: Integers = np.empty(len(students), dtype=np.int64)
    for position, row in enumerate(students):
        subjects = wanted.get(UUID(bytes=row.tobytes()), [])
        rows = tuple(sorted({column.get(name, len(column)) for name in subjects}))
        group[position] = numbers.setdefault(rows, len(numbers))
    return Candidates(
        group,
        np.array([UNKNOWN_PLACES if free is None else free for _, free in of_tutors], dtype=np.int64),
        [list(rows) for rows in numbers],
        teaches,
        np.array([not subjects for subjects, _ in of_tutors], dtype=np.bool_),
    )
