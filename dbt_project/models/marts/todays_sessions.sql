{{ config(materialized='view', tags=['matching']) }}

-- From the sessions as delivered, which have an index on their time. They are looked up from the day (lateral, and
-- fenced by offset 0) and not joined with it, or Postgres reads all of them, in parallel.

select
    sessions.session_id,
    sessions.tutor_id,
    sessions.student_id,
    sessions.scheduled_time,
    extract(hour from {{ local_time('sessions.scheduled_time') }})::smallint as hour,
    case sessions.status
        when 'scheduled' then 'planned'
        when 'completed' then 'held'
        when 'rescheduled' then 'moved'
        when 'no_show' then 'missed'
        else sessions.status
    end as outcome,
    coalesce(facts.is_let_down and sessions.is_final, false) as is_let_down,
    case when not sessions.is_final then tutors.let_down_level end as risk_level
from {{ ref('int_as_of') }} as as_of
cross join
    lateral (
        select
            delivered.session_id,
            delivered.tutor_id,
            delivered.student_id,
            delivered.scheduled_time,
            delivered.status,
            delivered.is_final
        from {{ ref('stg_raw__sessions') }} as delivered
        where
            delivered.scheduled_time >= (as_of.as_of::timestamp at time zone '{{ var("timezone") }}')
            and delivered.scheduled_time < ((as_of.as_of + 1)::timestamp at time zone '{{ var("timezone") }}')
        order by delivered.scheduled_time
        offset 0
    ) as sessions
left join {{ ref('int_session_facts') }} as facts on sessions.session_id = facts.session_id
left join {{ ref('match_tutors') }} as tutors on sessions.tutor_id = tutors.tutor_id
