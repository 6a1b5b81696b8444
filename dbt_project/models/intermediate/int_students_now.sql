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
        count({{ is_missed_by_student('sessions') }}) filter (
            where sessions.status <> 'scheduled' and sessions.scheduled_on <= as_of.as_of
        ) as student_trials,
        count(*) filter (
            where
            sessions.status <> 'scheduled'
            and sessions.scheduled_on <= as_of.as_of
            and {{ is_missed_by_student('sessions') }}
        ) as student_no_shows,
        count(*) filter (
            where
            sessions.status <> 'scheduled'
            and {{ called_off_known_on('sessions') }} <= as_of.as_of
            and {{ is_called_off_by_student('sessions') }}
        ) as student_call_offs,
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
        {{ shrunk_rate(
            'known_sessions.student_no_shows', 'known_sessions.student_trials', var('student_no_show_fallback_prior')
        ) }} as student_no_show_rate,
        {{ shrunk_rate(
            'known_sessions.student_call_offs', 'known_sessions.student_sessions',
            var('student_call_off_fallback_prior')
        ) }} as student_call_off_rate,
        coalesce(histories.student_first_meetings, 0) as student_first_meetings,
        coalesce(histories.student_continuation_rate, {{ prior_mean(var('first_session_fallback_prior')) }})
            as student_continuation_rate,
        coalesce(histories.student_pending_meetings, 0) as student_pending_meetings,
        coalesce(
            histories.student_sessions_per_pair,
            {{ var('sessions_per_pair_prior')[0] }}::double precision / {{ var('sessions_per_pair_prior')[1] }}
        ) as student_sessions_per_pair,
        coalesce(histories.student_rating_given, {{ var('rating_fallback_mean') }}) as student_rating_given,
        coalesce(active_tutors.active_tutors, 0) as active_tutors
    from known_sessions
    cross join as_of
    left join active_tutors on known_sessions.student_id = active_tutors.student_id
    left join histories
        on known_sessions.student_id = histories.student_id and histories.known_before = as_of.as_of + 1
)

select * from final
