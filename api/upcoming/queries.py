"""SQL of the list of upcoming sessions."""

from api.database import Statement
from api.matching.version import MATCH_META_SQL, MATCH_VERSION, MATCH_VERSION_QUERY, SOURCE
from api.upcoming.schemas import UpcomingFilters
from ingest.ids import entity_uuid

# What is known of a pair is looked up for the rows of the page only: for all sessions to come it takes a second.
LIST = f"""
with matching as materialized (
    select
        session_id,
        scheduled_time,
        tutor_disruption_probability,
        count(*) over (partition by tutor_id) as tutor_sessions,
        row_number() over (
            partition by tutor_id
            order by tutor_disruption_probability desc nulls last, scheduled_time, session_id
        ) as place
    from marts.upcoming_sessions
    where ($1::double precision is null or tutor_disruption_probability >= $1)
        and ($2::uuid is null or tutor_id = $2)
),

listed as (select * from matching where place = 1 or not $3::boolean),

page as (
    select * from listed
    order by tutor_disruption_probability desc nulls last, scheduled_time, session_id
    limit $4 offset $5
),

rows as (
    select
        sessions.session_id,
        sessions.external_id,
        sessions.scheduled_time,
        sessions.subject,
        sessions.duration_minutes,
        sessions.tutor_id,
        tutors.name as tutor_name,
        page.tutor_sessions,
        sessions.student_id,
        students.name as student_name,
        sessions.is_first_meeting,
        sessions.tutor_reschedule_rate,
        sessions.tutor_no_show_rate,
        sessions.pair_sessions_before,
        sessions.tutor_disruption_probability,
        sessions.risk_level,
        sessions.model_version
    from page
    inner join marts.upcoming_sessions as sessions on page.session_id = sessions.session_id
    left join marts.match_tutors as tutors on sessions.tutor_id = tutors.tutor_id
    left join marts.match_students as students on sessions.student_id = students.student_id
    order by page.tutor_disruption_probability desc nulls last, page.scheduled_time, page.session_id
)

select
    {MATCH_VERSION},
    json_build_object(
        'data', coalesce((select json_agg(rows) from rows), '[]'),
        'meta', json_build_object(
            'total', (select count(*) from listed), 'limit', $4::bigint, 'offset', $5::bigint, {MATCH_META_SQL}
        )
    )
from {SOURCE}
"""


def upcoming_sessions(filters: UpcomingFilters) -> Statement:
    """A page of scheduled sessions; every one that matches is on exactly one page."""
    tutor_id = entity_uuid(filters.tutor_id) if filters.tutor_id is not None else None
    return Statement(
        LIST,
        (filters.min_risk, tutor_id, filters.one_per_tutor, filters.limit, filters.offset),
        version_sql=MATCH_VERSION_QUERY,
    )
