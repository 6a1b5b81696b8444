{{ config(materialized='view', tags=['matching']) }}

-- No CTEs: Postgres cannot look rows up by index in a view that has some, when it is joined.

select
    students.student_id,
    students.external_id,
    students.name,
    students.age,
    students.subjects,
    students.preferred_teaching_style,
    students.preferred_pace,
    students.communication_style,
    students.urgency_level,
    students.is_stub,
    not students.is_stub and coalesce(histories.has_recent_session, true) as is_active,
    coalesce(histories.student_first_meetings, 0) as student_first_meetings,
    coalesce(histories.student_continuation_rate, {{ prior_mean(var('first_session_fallback_prior')) }})
        as student_continuation_rate,
    coalesce(histories.student_pending_meetings, 0) as student_pending_meetings,
    coalesce(
        histories.student_sessions_per_pair,
        {{ var('sessions_per_pair_prior')[0] }}::double precision / {{ var('sessions_per_pair_prior')[1] }}
    ) as student_sessions_per_pair,
    coalesce(histories.student_rating_given, {{ var('rating_fallback_mean') }})::double precision
        as student_rating_given,
    histories.last_session_on,
    -- As of the last roll-over; who got a session since then has a tutor at once. Few are looked up, one by one: of an
    -- `exists`, Postgres would hash all sessions.
    coalesce(histories.active_tutors, 0) = 0
    and coalesce(
        (
            select false
            from {{ ref('stg_raw__sessions') }} as sessions
            inner join {{ ref('stg_raw__tutors') }} as tutors on sessions.tutor_id = tutors.tutor_id
            cross join {{ ref('int_as_of') }} as as_of
            where
                sessions.student_id = students.student_id
                and tutors.is_active
                and {{ is_active_pair('sessions', 'as_of.as_of') }}
            limit 1 -- noqa: AM09
        ), true
    ) as needs_tutor
from {{ ref('stg_raw__students') }} as students
left join {{ ref('int_students_now') }} as histories on students.student_id = histories.student_id
