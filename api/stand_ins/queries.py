"""SQL of the list of stand-ins."""

from uuid import UUID

from api.database import Statement, columns
from api.matching.queries import TUTORS, fits
from api.matching.version import MATCH_META_SQL, MATCH_VERSION, MATCH_VERSION_QUERY, SOURCE
from api.paging import Order, SortKey, place_of
from api.stand_ins.schemas import CoveredSession, StandIn, StandInPage

NOT_PLANNED = "There is no planned session with this id."

# Of a session that says nothing of its length, or 0.
USUAL_MINUTES = 60
# Nobody still teaches in a session that began earlier than this, whatever its length says: contracts allow a week, and
# all sessions of a week would have to be read.
LONGEST_HOURS = 24

# No raised concern, then who is likeliest to hold the session, then with whom the student is likeliest to go on.
ORDER = Order(
    SortKey("attention", "boolean"),
    SortKey("let_down_probability", "double precision"),
    SortKey("churn_probability", "double precision"),
    SortKey("tutor_id", "uuid"),
)

MINUTES = f"coalesce(nullif({{table}}.duration_minutes, 0), {USUAL_MINUTES})"

LIST = f"""
with session as materialized (
    select
        sessions.session_id,
        sessions.external_id,
        sessions.scheduled_time,
        {MINUTES.format(table="sessions")} as minutes,
        sessions.scheduled_time + {MINUTES.format(table="sessions")} * interval '1 minute' as ends_at,
        sessions.subject,
        case when sessions.subject is null then students.subjects else array[sessions.subject] end as subjects,
        sessions.student_id,
        students.name as student_name,
        sessions.tutor_id,
        tutors.name as tutor_name
    from marts.upcoming_sessions as sessions
    left join marts.match_students as students on sessions.student_id = students.student_id
    left join marts.match_tutors as tutors on sessions.tutor_id = tutors.tutor_id
    where sessions.session_id = $1
),

busy as materialized (
    select planned.tutor_id
    from marts.upcoming_sessions as planned
    where planned.scheduled_time < (select ends_at from session)
        and planned.scheduled_time > (select scheduled_time from session) - interval '{LONGEST_HOURS} hours'
        and planned.scheduled_time + {MINUTES.format(table="planned")} * interval '1 minute'
        > (select scheduled_time from session)
),

predicted as materialized (
    select matches.tutor_id, matches.churn_probability, matches.risk_level, matches.compatibility_score
    from marts.match_predictions as matches
    where matches.bucket = (select ml.student_bucket(student_id) from session)
        and matches.student_id = (select student_id from session)
),

free as materialized (
    select
        people.tutor_id,
        predicted.churn_probability,
        predicted.risk_level,
        predicted.compatibility_score,
        people.attention,
        people.let_down_probability,
        case when predicted.tutor_id is not null then rank() over (order by predicted.churn_probability) end as rank
    from {TUTORS} as people
    left join predicted on people.tutor_id = predicted.tutor_id
    where people.is_active
        and people.tutor_id <> (select tutor_id from session)
        and {fits("people.subjects", "(select coalesce(subjects, array[]::text[]) from session)")}
        and people.tutor_id not in (select tutor_id from busy)
),

{ORDER.pages("free", limit="$2", offset="$3", place="$4")},

rows as (
    select {columns(StandIn, "people")}
    from (
        select
            people.*,
            page.churn_probability,
            page.risk_level,
            page.rank,
            page.compatibility_score,
            tutors.email
        from page
        inner join {TUTORS} as people on page.tutor_id = people.tutor_id
        left join marts.dim_tutors as tutors on page.tutor_id = tutors.tutor_id
    ) as people
    order by {ORDER.sql.replace("page.", "people.")}
)

select
    {MATCH_VERSION},
    (
        select
            json_build_object(
                'session', (select row_to_json(covered) from (select {columns(CoveredSession, "session")}) as covered),
                'data', coalesce((select json_agg(rows) from rows), '[]'),
                'meta', json_build_object(
                    'total', (select count(*) from free),
                    'limit', $2::bigint,
                    'offset', $3::bigint,
                    'next_cursor', following.cursor,
                    {MATCH_META_SQL}
                )
            )
        from session
    ),
    following.cursor
from {SOURCE}
cross join following
"""


def stand_ins(session_id: UUID, page: StandInPage) -> Statement:
    """A page of the tutors who could give it: raised concerns last, otherwise the likeliest to hold it first."""
    arguments = (session_id, page.limit, page.offset, place_of(page, session_id))
    return Statement(LIST, arguments, NOT_PLANNED, MATCH_VERSION_QUERY, page.cursor, reads_sessions=True)
