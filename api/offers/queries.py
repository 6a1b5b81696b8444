"""SQL that reads slates, and whom they can be drawn from."""

from uuid import UUID

from api.database import Statement, columns
from api.matching.queries import TUTORS, fits
from api.matching.schemas.people import MatchStudent, MatchTutor
from api.matching.version import MATCH_VERSION, SOURCE
from ml.offers import PENDING

# Tutors who have not met the student and have a place that nobody else has been given; of the subject $2, or of a
# subject of the student's. $3: for how many days a place is kept for somebody who was given it.
PEOPLE = f"""
with student as (
    select {columns(MatchStudent, "people")} from marts.match_students as people where people.student_id = $1
),

pending as (
    select pending.tutor_id, count(*) as students
    from ({PENDING.format(days="$3")}) as pending
    where pending.student_id <> $1
    group by pending.tutor_id
),

tutors as (
    select {columns(MatchTutor, "people")}
    from {TUTORS} as people
    cross join student
    left join pending on people.tutor_id = pending.tutor_id
    where people.is_active
        and {fits("people.subjects", "case when $2::text is null then student.subjects else array[$2] end")}
        and (people.free_capacity is null or people.free_capacity > coalesce(pending.students, 0))
        and not exists (
            select from marts.fct_sessions as sessions
            where sessions.student_id = $1 and sessions.tutor_id = people.tutor_id
        )
    order by people.tutor_id
)

select
    {MATCH_VERSION},
    json_build_object(
        'student', (select row_to_json(student) from student),
        'tutors', coalesce((select json_agg(tutors) from tutors), '[]'),
        'holdout_key', (select key from ml.holdout_key)
    )
from {SOURCE}
"""

SLATE = """
select json_build_object(
    'slate_id', slates.slate_id,
    'student_id', slates.student_id,
    'subject', slates.subject,
    'policy', slates.policy,
    'model_version', slates.model_version,
    'exploration_share', slates.exploration_share,
    'is_holdout', slates.is_holdout,
    'offered_at', slates.offered_at,
    'offers', (
        select json_agg(
            json_build_object(
                'place', offers.place,
                'tutor_id', offers.tutor_id,
                'external_id', tutors.external_id,
                'churn_probability', offers.churn_probability,
                'propensity', offers.propensity,
                'accepted_at', offers.accepted_at
            )
            order by offers.place
        )
        from ml.offers as offers
        left join marts.match_tutors as tutors on offers.tutor_id = tutors.tutor_id
        where offers.slate_id = slates.slate_id
    )
)
from ml.slates as slates
where slates.slate_id = $1
"""


def people(student_id: UUID, subject: str | None, days: int) -> Statement:
    """The student, and the tutors who can be offered."""
    return Statement(PEOPLE, (student_id, subject, days))
