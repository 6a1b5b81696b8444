"""SQL of the lists of people and of matches. Columns of a body are the fields of its schema."""

from uuid import UUID

from api.database import Statement, columns
from api.matching.schemas.people import MatchStudent, MatchTutor, StudentFilters, TutorMatchFilters
from api.matching.schemas.predictions import MatchesOfStudentFilters, MatchesOfTutorFilters, Prediction
from api.matching.version import MATCH_META_SQL, MATCH_VERSION, MATCH_VERSION_QUERY, SOURCE
from api.paging import Order, SortKey, place_of
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


def teach(theirs: str, wanted: str, subject: str) -> str:
    """SQL: whether a tutor teaches the chosen subject, as in lists; without a choice, whether the tutor fits."""
    return f"case when {subject}::text is null then {fits(theirs, wanted)} else {subject} = any({theirs}) end"


# The only partition of the predictions that can hold the student $1.
IN_BUCKET = "and matches.bucket = ml.student_bucket($1)"

PEOPLE = f"""
with matching as materialized (
    select {{key}}, {{sort_by}} as sort_key
    from {{table}} as people
    where {matches("people", "{key}", "$1")}
        and ($2::text is null or $2 = any(people.subjects))
        and ($3::boolean is null or people.is_active = $3)
        {{condition}}
),

{{pages}},

rows as (
    select {{columns}}
    from page
    inner join {{table}} as people on page.{{key}} = people.{{key}}
    order by {{order}}
)

select
    {MATCH_VERSION},
    json_build_object(
        'data', coalesce((select json_agg(rows) from rows), '[]'),
        'meta', json_build_object(
            'total', (select count(*) from matching), 'limit', $4::bigint, 'offset', $5::bigint,
            'next_cursor', following.cursor, {MATCH_META_SQL}
        )
    ),
    following.cursor
from {SOURCE}
cross join following
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
        matches.student_id,
        matches.tutor_id,
        {{sort_by}} as sort_key,
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

{{pages}},

-- What is derived from both people is computed for the rows of the page only.
rows as (
    select
        {columns(Prediction, "matches")},
        page.rank,
        page.external_id,
        page.name,
        page.subjects,
        page.free_capacity,
        page.attention,
        page.concerns
    from page
    inner join marts.match_predictions as matches
        on matches.{{key}} = $1 {{bucket}}
        and matches.bucket = ml.student_bucket(page.student_id)
        and page.student_id = matches.student_id
        and page.tutor_id = matches.tutor_id
    order by {{order}}
)

select
    {MATCH_VERSION},
    (
        select
            json_build_object(
                'data', coalesce((select json_agg(rows) from rows), '[]'),
                'meta', json_build_object(
                    'total', (select count(*) from matching),
                    'limit', $5::bigint,
                    'offset', $6::bigint,
                    'next_cursor', following.cursor,
                    {MATCH_META_SQL}
                )
            )
        from person
    ),
    following.cursor
from {SOURCE}
cross join following
"""


def student_list(filters: StudentFilters) -> Statement:
    """A page of students; every student that matches is on exactly one page."""
    return _people(
        filters,
        "student_id",
        "marts.match_students",
        columns(MatchStudent, "people"),
        condition="and ($6::boolean is null or people.needs_tutor = $6)",
        value=filters.needs_tutor,
        reads_sessions=True,  # whether they need a tutor
    )


def tutor_list(filters: TutorMatchFilters) -> Statement:
    """A page of tutors; every tutor that matches is on exactly one page."""
    return _people(
        filters,
        "tutor_id",
        TUTORS,
        columns(MatchTutor, "people"),
        condition=f"and ($6::boolean is null or $6 = {HAS_CAPACITY})",
        value=filters.has_capacity,
    )


def _people(
    filters: StudentFilters | TutorMatchFilters,
    key: str,
    table: str,
    fields: str,
    *,
    condition: str,
    value: bool | None,
    reads_sessions: bool = False,
) -> Statement:
    kind = {"name": "text", "last_session_on": "date"}.get(filters.sort_by, "double precision")
    order = Order(SortKey("sort_key", kind, filters.sort_order == "desc"), SortKey(key, "uuid"))
    sql = PEOPLE.format(
        key=key,
        table=table,
        columns=fields,
        condition=condition,
        sort_by=f"people.{filters.sort_by}",
        order=order.sql,
        pages=order.pages("matching", limit="$4", offset="$5", place="$7"),
    )
    arguments = (filters.search, filters.subject, filters.is_active, filters.limit, filters.offset, value)
    return _matching(sql, *arguments, place_of(filters), cursor=filters.cursor, reads_sessions=reads_sessions)


def student(student_id: UUID) -> Statement:
    """One student."""
    sql = PERSON.format(key="student_id", table="marts.match_students", columns=columns(MatchStudent, "people"))
    return _matching(sql, student_id, missing=NO_STUDENT, reads_sessions=True)


def tutor(tutor_id: UUID) -> Statement:
    """One tutor."""
    sql = PERSON.format(key="tutor_id", table=TUTORS, columns=columns(MatchTutor, "people"))
    return _matching(sql, tutor_id, missing=NO_TUTOR)


def matches_of_student(student_id: UUID, filters: MatchesOfStudentFilters) -> Statement:
    """A page of the tutors a student could have."""
    first = [SortKey("attention", "boolean")] if filters.concerns_last else []
    sql = MATCHES.format(
        key="student_id",
        table="marts.match_students",
        other_key="tutor_id",
        other_table=TUTORS,
        bucket=IN_BUCKET,
        of_tutors="people.free_capacity, people.attention, people.concerns",
        condition=f"and ($9::boolean is null or $9 = {HAS_CAPACITY})",
        **_order(filters, "tutor_id", *first),
    )
    arguments = (*_arguments(student_id, filters), filters.has_capacity)
    return _matching(sql, *arguments, missing=NO_STUDENT, cursor=filters.cursor)


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
        **_order(filters, "student_id"),
    )
    return _matching(sql, *_arguments(tutor_id, filters), missing=NO_TUTOR, cursor=filters.cursor)


def _order(filters: MatchesOfStudentFilters | MatchesOfTutorFilters, other_key: str, *first: SortKey) -> dict[str, str]:
    is_descending = (filters.sort_order or ("desc" if filters.sort_by == "compatibility_score" else "asc")) == "desc"
    kind = "text" if filters.sort_by == "name" else "double precision"
    order = Order(*first, SortKey("sort_key", kind, is_descending), SortKey(other_key, "uuid"))
    return {
        "order": order.sql,
        "pages": order.pages("matching", limit="$5", offset="$6", place="$8"),
        "sort_by": f"{'people' if filters.sort_by == 'name' else 'matches'}.{filters.sort_by}",
    }


def _arguments(person_id: UUID, filters: MatchesOfStudentFilters | MatchesOfTutorFilters) -> tuple[object, ...]:
    return (
        person_id,
        filters.risk_level or None,
        filters.min_compatibility,
        filters.subject,
        filters.limit,
        filters.offset,
        filters.shares_subject,
        place_of(filters, person_id),
    )


def _matching(
    sql: str, *arguments: object, missing: str = "", cursor: str | None = None, reads_sessions: bool = False
) -> Statement:
    return Statement(sql, arguments, missing, MATCH_VERSION_QUERY, cursor, reads_sessions)
