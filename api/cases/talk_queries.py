"""SQL of what there is to know before a conversation with a tutor."""

from api.cases.preparation import Counted, Platform
from api.cases.talk_schemas import PreparedTutor
from api.database import VERSION, columns
from api.publication import META_SQL
from api.tutors.queries import KNOWN_CONCERNS, SEVERAL, SHARE
from core import patterns
from core.concerns import Recently, Rules

COUNTED_DAYS = 90
PLANNED_DAYS = 7
# Scores older than a long weekend are those of historic data, whose plans are past by now.
HISTORIC_DAYS = 4

# $1: the case, $2: the person who asks.
# Planned sessions are those from now on; of historic data, those of the 7 days after the as-of day.
PREPARATION = f"""
with stored as (
    select case_id, tutor_id, opened_on, snapshot from app.cases where case_id = $1
),

sessions as (
    select sessions.counted_on, sessions.reason_code, sessions.is_let_down, sessions.caused_by, sessions.is_excused
    from marts.fct_sessions as sessions
    inner join stored on sessions.tutor_id = stored.tutor_id
    cross join marts.publication
    where sessions.is_final
        and sessions.counted_on > publication.as_of - {COUNTED_DAYS}
        and sessions.counted_on <= publication.as_of
),

heaps as (
    select reason_code, counted_on, count(*) as let_downs
    from sessions
    where is_let_down
    group by counted_on, reason_code
    having count(*) >= greatest({SEVERAL}, {SHARE} * (select count(*) from sessions where is_let_down))
),

reason_days as (
    select
        reason_code,
        count(*) as days,
        sum(let_downs)::bigint as let_downs,
        json_agg(counted_on order by counted_on) as dates
    from heaps group by reason_code order by let_downs desc, reason_code
),

students as (
    select
        planned.student_id,
        people.external_id,
        people.name,
        count(*) as sessions,
        min(planned.scheduled_time) as next_at,
        (array_agg(planned.session_id order by planned.scheduled_time, planned.session_id))[1] as next_session_id,
        bool_or(planned.is_first_meeting) as is_first_meeting
    from marts.upcoming_sessions as planned
    inner join stored on planned.tutor_id = stored.tutor_id
    cross join marts.publication
    left join marts.match_students as people on planned.student_id = people.student_id
    where planned.scheduled_on <= publication.as_of + {PLANNED_DAYS}
        and case
            when publication.as_of > current_date - {HISTORIC_DAYS} then planned.scheduled_time >= now()
            else planned.scheduled_on > publication.as_of
        end
    group by planned.student_id, people.external_id, people.name
    order by min(planned.scheduled_time), planned.student_id
)

select
    {VERSION},
    (
        select json_build_object(
            'case_id', stored.case_id,
            'tutor', (
                select tutor
                from (
                    select
                        stored.tutor_id,
                        {", ".join(f"people.{name}" for name in PreparedTutor.model_fields if name != "tutor_id")}
                ) as tutor
            ),
            'opened_on', stored.opened_on,
            'snapshot', stored.snapshot,
            'concerns', {KNOWN_CONCERNS.format(tutor_id="stored.tutor_id")},
            'patterns', {patterns.of_tutor("stored.tutor_id")},
            'rules', (select rules from (select {columns(Rules, "publication")}) as rules),
            'platform', (select known from (select {columns(Platform, "baseline")}) as known),
            'counted', (
                select known from (
                    select {columns(Counted, "scores")}
                    from marts.tutor_scores as scores where scores.tutor_id = stored.tutor_id
                ) as known
            ),
            'recently', (
                select known from (
                    select {columns(Recently, "scores")}
                    from marts.tutor_scores as scores where scores.tutor_id = stored.tutor_id
                ) as known
            ),
            'sender', (select people.name from app.people where people.person_id = $2),
            'excused_90d', (select count(*) from sessions where is_excused and caused_by = 'tutor'),
            'reason_days', coalesce((select json_agg(reason_days) from reason_days), '[]'),
            'students', coalesce((select json_agg(students) from students), '[]'),
            'meta', json_build_object({META_SQL})
        )
        from stored
        cross join marts.platform_baseline as baseline
        left join marts.dim_tutors as people on stored.tutor_id = people.tutor_id
    )
from marts.publication
"""

PARTICIPANTS = """
select
    (select name from marts.dim_tutors where dim_tutors.tutor_id = stored.tutor_id) as name,
    (select email from marts.dim_tutors where dim_tutors.tutor_id = stored.tutor_id) as email,
    host.name as host_name,
    host.email as host_email
from app.cases as stored
left join app.people as host on host.person_id = $2
where stored.case_id = $1
"""
