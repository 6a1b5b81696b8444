{{ config(materialized='view') }}

-- No CTEs: Postgres cannot look rows up by index in a view that has some. As in int_tutor_days, a lesson counts once a
-- day, as the session of it that tells most.

select
    sessions.tutor_id,
    {{ notice_band('sessions.notice_hours') }} as notice_band,
    count(*) filter (where sessions.is_tutor_reschedule) as moved,
    count(*) filter (where not sessions.is_tutor_reschedule) as cancelled,
    count(*) as called_off
from (
    select
        tutor_id,
        counted_on,
        notice_hours,
        is_tutor_reschedule,
        is_tutor_cancellation,
        true as is_counted
    from {{ ref('int_session_facts') }}
    where is_final and lesson_id is null
    union all
    select
        tutor_id,
        counted_on,
        notice_hours,
        is_tutor_reschedule,
        is_tutor_cancellation,
        row_number() over (
            partition by tutor_id, counted_on, lesson_id
            order by is_let_down desc, status <> 'completed' asc, session_id asc
        ) = 1 as is_counted
    from {{ ref('int_session_facts') }}
    where is_final and lesson_id is not null
) as sessions
inner join {{ ref('int_as_of') }} as as_of
    on sessions.counted_on > as_of.as_of - {{ var('notice_days') }} and sessions.counted_on <= as_of.as_of
where sessions.is_counted and (sessions.is_tutor_reschedule or sessions.is_tutor_cancellation)
group by sessions.tutor_id, notice_band
