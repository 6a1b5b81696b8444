"""SQL of the lists of people and of matches. Columns of a body are the fields of its schema."""

from uuid import UUID

from api.database import Statement, columns
from api.matching.schemas.people import MatchStudent, MatchTutor, StudentFilters, TutorMatchFilters
from api.matching.schemas.predictions import MatchesOfStudentFilters, MatchesOfTutorFilters, Prediction
from api.matching.version import MATCH_META_SQL, MATCH_VERSION, MATCH_VERSION_QUERY, SOURCE
from api.paths import NO_STUDENT, NO_TUTOR
from api.text_search import matches

# Without a known capacity nothing says that another student would be too many.
HAS_CAPACITY = "(people.capacity is null or people.free_capacity > 0)"

# Tutors, and what is of concern about them.
TUTORS = """(
    select
        tutors.*,
        coalesce(scores.attention, false) as attention,
        coalesce(scores.concerns, array[]::text[]) as concerns
    from marts.match_tutors as tutors
    left join marts.tutor_scores as scores on tutors.tutor_id = scores.tutor_id
)"""


def fits(theirs: str, wanted: str) -> str:
    """SQL: whether two lists of subjects share one. Who names no subject fits everybody, as in assignments."""
    return f"({theirs} && {wanted} or cardinality({theirs}) = 0 or cardinality({wanted}) = 0)"


# The only partition of the predictions that can hold the student $1.
IN_BUCKET = "and matches.bucket = ml.student_bucket($1)"

PEOPLE = f"""
with matching as materialized (
    select {{key}}, {{sort_by}} as sort_key
    from {{table}} as people
    where {matches("people", "$1")}
        and ($2::text is null or $2 = any(people.subjects))
        and ($3::boolean is null or people.is_active = $3)
        {{condition}}
),

page as (
    select {{key}}, sort_key from matching
    order by sort_key {{sort_order}} nulls last, {{key}}
    limit $4 offset $5
),

rows as (
    select {{columns}}
    from page
    inner join {{table}} as people on page.{{key}} = people.{{key}}
    order by page.sort_key {{sort_order}} nulls last, page.{{key}}
)

select
    {MATCH_VERSION},
    json_build_object(
        'data', coalesce((select json_agg(rows) from rows), '[]'),
        'meta', json_build_object(
            'total', (select count(*) from matching), 'limit', $4::bigint, 'offset', $5::bigint, {MATCH_META_SQL}
        )
    )
from {SOURCE}
"""

PERSON = f"""
select
    {MATCH_VERSION},
    (
        select json_build_object('data', person, 'meta', json_build_object({MATCH_META_SQL}))
        from (select {{columns}} from {{table}} as people where people.{{key}} = $1) as person
    )
from {SOURCE}
"""

# Null, and so a 404, if the person of the address does not exist.
MATCHES = f"""
with person as materialized (select subjects from {{table}} where {{key}} = $1),

matching as materialized (
    select
        {columns(Prediction, "matches")},
        rank() over (order by matches.churn_probability) as rank,
        people.external_id,
        people.name,
        people.subjects,
        {{of_tutors}}
    from marts.match_predictions as matches
    inner join {{other_table}} as people on matches.{{other_key}} = people.{{other_key}}
    where matches.{{key}} = $1 {{bucket}}
        and ($2::text[] is null or matches.risk_level = any($2))
        and ($3::double precision is null or matches.compatibility_score >= $3)
        and ($4::text is null or $4 = any(people.subjects))
        and (not $7::boolean or $4 is not null or {fits("people.subjects", "(select subjects from person)")})
        {{condition}}
),

page as (
    select * from matching
    order by {{sort_by}} {{sort_order}} nulls last, {{other_key}}
    limit $5 offset $6
)

select
    {MATCH_VERSION},
    (
        select
            json_build_object(
                'data', coalesce((select json_agg(page) from page), '[]'),
                'meta', json_build_object(
                    'total', (select count(*) from matching),
                    'limit', $5::bigint,
                    'offset', $6::bigint,
                    {MATCH_META_SQL}
                )
            )
        from person
    )
from {SOURCE}
"""


def student_list(filters: StudentFilters) -> Statement:
    """A page of students; every student that matches is on exactly one page."""
    sql = PEOPLE.format(
        key="student_id",
        table="marts.match_students",
        columns=columns(MatchStudent, "people"),
        condition="and ($6::boolean is null or people.needs_tutor = $6)",
        sort_by=f"people.{filters.sort_by}",
        sort_order=filters.sort_order,
    )
    return _matching(
        sql, filters.search, filters.subject, filters.is_active, filters.limit, filters.offset, filters.needs_tutor
    )


def tutor_list(filters: TutorMatchFilters) -> Statement:
    """A page of tutors; every tutor that matches is on exactly one page."""
    sql = PEOPLE.format(
        key="tutor_id",
        table=TUTORS,
        columns=columns(MatchTutor, "people"),
        condition=f"and ($6::boolean is null or $6 = {HAS_CAPACITY})",
        sort_by=f"people.{filters.sort_by}",
        sort_order=filters.sort_order,
    )
    return _matching(
        sql, filters.search, filters.subject, filters.is_active, filters.limit, filters.offset, filters.has_capacity
    )


def student(student_id: UUID) -> Statement:
    """One student."""
    sql = PERSON.format(key="student_id", table="marts.match_students", columns=columns(MatchStudent, "people"))
    return _matching(sql, student_id, missing=NO_STUDENT)


def tutor(tutor_id: UUID) -> Statement:
    """One tutor."""
    sql = PERSON.format(key="tutor_id", table=TUTORS, columns=columns(MatchTutor, "people"))
    return _matching(sql, tutor_id, missing=NO_TUTOR)


def matches_of_student(student_id: UUID, filters: MatchesOfStudentFilters) -> Statement:
    """A page of the tutors a student could have."""
    sql = MATCHES.format(
        key="student_id",
        table="marts.match_students",
        other_key="tutor_id",
        other_table=TUTORS,
        bucket=IN_BUCKET,
        of_tutors="people.free_capacity, people.attention, people.concerns",
        condition=f"and ($8::boolean is null or $8 = {HAS_CAPACITY})",
        sort_by=filters.sort_by,
        sort_order=_order(filters),
    )
    return _matching(sql, student_id, *_arguments(filters), filters.has_capacity, missing=NO_STUDENT)


def matches_of_tutor(tutor_id: UUID, filters: MatchesOfTutorFilters) -> Statement:
    """A page of the students a tutor could have."""
    sql = MATCHES.format(
        key="tutor_id",
        table="marts.match_tutors",
        other_key="student_id",
        other_table="marts.match_students",
        bucket="",
        of_tutors="null::int as free_capacity, false as attention, array[]::text[] as concerns",
        condition="",
        sort_by=filters.sort_by,
        sort_order=_order(filters),
    )
    return _matching(sql, tutor_id, *_arguments(filters), missing=NO_TUTOR)


def _order(filters: MatchesOfStudentFilters | MatchesOfTutorFilters) -> str:
    return filters.sort_order or ("desc" if filters.sort_by == "compatibility_score" else "asc")


def _arguments(filters: MatchesOfStudentFilters | MatchesOfTutorFilters) -> tuple[object, ...]:
    return (
        filters.risk_level or None,
        filters.min_compatibility,
        filters.subject,
        filters.limit,
        filters.offset,
        filters.shares_subject,
    )


def _matching(sql: str, *arguments: object, missing: str = "") -> Statement:
    return Statement(sql, arguments, missing, MATCH_VERSION_QUERY)
