"""SQL of the list of upcoming sessions."""

from api.database import Statement
from api.matching.version import MATCH_META_SQL, MATCH_VERSION, MATCH_VERSION_QUERY, SOURCE
from api.upcoming.schemas import UpcomingFilters
from core.landing.ids import entity_uuid

LIST = f"""
with matching as materialized (
    select * from marts.upcoming_sessions
    where ($1::double precision is null or tutor_disruption_probability >= $1)
        and ($2::uuid is null or tutor_id = $2)
),

page as (
    select * from matching
    order by tutor_disruption_probability desc nulls last, scheduled_time, session_id
    limit $3 offset $4
),

rows as (
    select
        page.session_id,
        page.external_id,
        page.scheduled_time,
        page.subject,
        page.duration_minutes,
        page.tutor_id,
        tutors.name as tutor_name,
        page.student_id,
        students.name as student_name,
        page.is_first_meeting,
        page.tutor_reschedule_rate,
        page.tutor_no_show_rate,
        page.pair_sessions_before,
        page.tutor_disruption_probability,
        page.risk_level,
        page.model_version
    from page
    left join marts.match_tutors as tutors on page.tutor_id = tutors.tutor_id
    left join marts.match_students as students on page.student_id = students.student_id
    order by page.tutor_disruption_probability desc nulls last, page.scheduled_time, page.session_id
)

select
    {MATCH_VERSION},
    json_build_object(
        'data', coalesce((select json_agg(rows) from rows), '[]'),
        'meta', json_build_object(
            'total', (select count(*) from matching), 'limit', $3::bigint, 'offset', $4::bigint, {MATCH_META_SQL}
        )
    )
from {SOURCE}
"""


def upcoming_sessions(filters: UpcomingFilters) -> Statement:
    """A page of scheduled sessions; every one that matches is on exactly one page."""
    tutor_id = entity_uuid(filters.tutor_id) if filters.tutor_id is not None else None
    return Statement(
        LIST,
        (filters.min_risk, tutor_id, filters.limit, filters.offset),
        version_sql=MATCH_VERSION_QUERY,
    )
