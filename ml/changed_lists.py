"""Lists of `top` mode after single people have changed: whose list that concerns, and these lists anew.

A changed student gets a new list. A changed tutor leaves all lists, whose students get new ones, on which the tutor may
be again; and the tutor enters the lists of those for whom the tutor is a lower risk than the last on the list, the
lowest risks first, up to the limit by free places. While tutors are below that limit, all lists are what predicting
everybody would make of them. At the limit they are not: a place that becomes free is not offered to students whose
lists do not change otherwise. The nightly run evens that out.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import LiteralString
from uuid import UUID

import numpy as np
import psycopg

from ml.candidates import Candidates, candidates
from ml.features import Bools, Integers, Matrix
from ml.model import Model
from ml.pairs import BUCKETS, Block, Ids, Students, Tutors, score, uuids
from ml.people import read_students, read_tutors
from ml.top import BEST, LISTS_PER_PLACE, best_lists, blocks

OWNERS: LiteralString = "select distinct student_id from ml.match_predictions where tutor_id = any(%s)"
# Who names no subject fits everybody.
NEAR: LiteralString = """
select students.student_id
from marts.match_students as students
where
    students.is_active
    and exists (
        select from marts.match_tutors as tutors
        where
            tutors.tutor_id = any(%s)
            and tutors.is_active
            and (
                students.subjects && tutors.subjects
                or cardinality(students.subjects) = 0
                or cardinality(tutors.subjects) = 0
            )
    )
"""
ENDS: LiteralString = """
select student_id, count(*), max(churn_probability)
from ml.match_predictions
where bucket = any(%s) and student_id = any(%s)
group by student_id
"""


def changed_lists(
    connection: psycopg.Connection,
    model: Model,
    *,
    changed_students: Sequence[UUID],
    changed_tutors: Sequence[UUID],
) -> Iterator[Block]:
    """Delete the lists that the changes concern, in the transaction of the connection, and return what is to be written
    in their place. Needs the lock that keeps other writers out. Everybody is read before this returns.
    """
    tutors = read_tutors(connection)
    concerned, near = set(changed_students), set()
    if changed_tutors:
        concerned |= {student for (student,) in connection.execute(OWNERS, [list(changed_tutors)])}
        near = {student for (student,) in connection.execute(NEAR, [list(changed_tutors)])}
    looked_at = list(concerned | near)
    students = read_students(connection, looked_at)
    among = candidates(connection, students.ids, tutors.ids, named=looked_at)
    is_changed: Bools = np.array([student in concerned for student in uuids(students.ids)], dtype=np.bool_)
    if near:
        changed = _positions(tutors.ids, changed_tutors)
        is_changed |= _entered(connection, model, students, tutors, among, changed, is_changed)
    chosen = np.flatnonzero(is_changed)
    students, among = students[chosen], among[chosen]
    concerned |= set(uuids(students.ids))
    connection.execute(
        "delete from ml.match_predictions where bucket = any(%s) and student_id = any(%s)", _places(concerned)
    )
    lists = best_lists(model, students, tutors, among, load=_load(connection, tutors, among))
    return blocks(students, tutors, lists, np.arange(len(students)))


def _entered(
    connection: psycopg.Connection,
    model: Model,
    students: Students,
    tutors: Tutors,
    among: Candidates,
    changed: Sequence[int],
    known: Bools,
) -> Bools:
    """(students,): whose list one of the changed tutors enters, besides the lists that are known to change."""
    length, last = _ends(connection, students)
    enters: Bools = np.zeros(len(students), dtype=np.bool_)
    # All candidates are on a list that is short, so a new one is.
    is_short = (length < BEST) | (among.count <= BEST)
    for tutor in changed:
        others = np.flatnonzero(among.include(tutor) & ~known)
        one: Integers = np.array([tutor], dtype=np.int64)
        parts = [block.probability for block in score(model, students[others], tutors[one])]
        risk = np.concatenate(parts) if parts else np.empty(0, dtype=np.float32)
        enters[others[is_short[others]]] = True
        # At equal risks the tutor of the lower position is on the list; which one that is, the new list will tell.
        better = (risk <= last[others]) & ~is_short[others]
        order = np.lexsort((others[better], risk[better]))
        enters[others[better][order[: LISTS_PER_PLACE * max(1, int(among.places[tutor]))]]] = True
    return enters


def _ends(connection: psycopg.Connection, students: Students) -> tuple[Integers, Matrix]:
    """(students,) each: how long the stored lists are, and the risk of the last on them."""
    ids = uuids(students.ids)
    found = {row[0]: row[1:] for row in connection.execute(ENDS, _places(ids))}
    rows = [found.get(student, (0, 0.0)) for student in ids]
    return np.array([row[0] for row in rows], dtype=np.int64), np.array([row[1] for row in rows], dtype=np.float32)


def _places(students: Collection[UUID]) -> tuple[list[int], list[UUID]]:
    """The buckets that can hold these students, and the students."""
    return sorted({student.bytes[15] % BUCKETS for student in students}), list(students)


def _load(connection: psycopg.Connection, tutors: Tutors, among: Candidates) -> Integers:
    """(tutors,): on how many stored lists each one is; looked up for those who may get on further ones."""
    load: Integers = np.zeros(len(tutors), dtype=np.int64)
    asked: Bools = np.zeros(len(tutors), dtype=np.bool_)
    for group in among.groups.tolist():
        asked[among.of_group(group)] = True
    chosen = np.flatnonzero(asked)
    at = dict(zip(uuids(tutors.ids[chosen]), chosen.tolist(), strict=True))
    query = "select tutor_id, count(*) from ml.match_predictions where tutor_id = any(%s) group by tutor_id"
    for tutor, lists in connection.execute(query, [list(at)]):
        load[at[tutor]] = lists
    return load


def _positions(ids: Ids, wanted: Sequence[UUID]) -> list[int]:
    """Of those who are active."""
    at = {person: position for position, person in enumerate(uuids(ids))}
    return [at[person] for person in wanted if person in at]
