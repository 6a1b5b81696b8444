"""In `top` mode, pairs who are to meet for the first time and are on no list: pages of planned sessions show them."""

from collections.abc import Iterator
from itertools import groupby

import psycopg

from ml.model import Model
from ml.pairs import Block, score
from ml.people import read_students, read_tutors

MISSING = """
select distinct planned.tutor_id, planned.student_id
from marts.upcoming_sessions as planned
inner join marts.match_students as students on planned.student_id = students.student_id and students.is_active
inner join marts.match_tutors as tutors on planned.tutor_id = tutors.tutor_id and tutors.is_active
where
    planned.is_first_meeting
    and not exists (
        select from ml.match_predictions as predictions
        where
            predictions.bucket = ml.student_bucket(planned.student_id)
            and predictions.student_id = planned.student_id
            and predictions.tutor_id = planned.tutor_id
    )
order by planned.tutor_id
"""


def booked_pairs(connection: psycopg.Connection, model: Model) -> Iterator[Block]:
    """Predictions of the active ones that no row holds. Everybody is read before this returns."""
    missing = connection.execute(MISSING).fetchall()
    parts = []
    for tutor, pairs in groupby(missing, key=lambda row: row[0]):
        parts.append((read_students(connection, [student for _, student in pairs]), read_tutors(connection, [tutor])))
    return (block for students, tutors in parts for block in score(model, students, tutors))
