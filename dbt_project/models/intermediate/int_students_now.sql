{{
    config(
        materialized='incremental',
        tags=['matching'],
        indexes=[{'columns': ['student_id'], 'unique': true}],
    )
}}

with as_of as (
    select * from {{ ref('int_as_of') }}
),

histories as (
    select * from {{ ref('int_student_histories') }}
),

sessions as (
    select * from {{ ref('int_session_facts') }}
),

tutors as (
    select * from {{ ref('stg_raw__tutors') }}
),

active_tutors as (
    select
        sessions.student_id,
        count(distinct sessions.tutor_id) as active_tutors
    from sessions
    inner join tutors on sessions.tutor_id = tutors.tutor_id
    cross join as_of
    where tutors.is_active and {{ is_active_pair('sessions', 'as_of.as_of') }}
    group by sessions.student_id
),

known_sessions as (
    select
        sessions.student_id,
        count(*) filter (
            where sessions.status <> 'scheduled' and sessions.scheduled_on <= as_of.as_of
        ) as student_sessions,
        max(sessions.scheduled_on) as newest_session_on,
        max(sessions.scheduled_on) filter (where sessions.scheduled_on <= as_of.as_of) as last_session_on
    from sessions
    cross join as_of
    group by sessions.student_id
),

final as (
    select
        known_sessions.student_id,
        as_of.as_of,
        known_sessions.last_session_on,
        known_sessions.newest_session_on > as_of.as_of - {{ var('active_student_days') }} as has_recent_session,
        known_sessions.student_sessions,
        coalesce(histories.student_first_meetings, 0) as student_first_meetings,
        coalesce(histories.student_continuation_rate, {{ prior_mean(var('first_session_fallback_prior')) }})
            as student_continuation_rate,
        coalesce(active_tutors.active_tutors, 0) as active_tutors
    from known_sessions
    cross join as_of
    left join active_tutors on known_sessions.student_id = active_tutors.student_id
    left join histories
        on known_sessions.student_id = histories.student_id and histories.known_before = as_of.as_of + 1
)

select * from final
