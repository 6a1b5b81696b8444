{{ config(materialized='view', tags=['matching']) }}

-- No CTEs: Postgres cannot look rows up by index in a view that has some. And counts are in the list of columns: so
-- they are made for the rows and columns only that somebody reads.

select
    sessions.session_id,
    sessions.external_id,
    sessions.tutor_id,
    sessions.student_id,
    sessions.subject,
    sessions.scheduled_time,
    sessions.scheduled_on,
    (extract(epoch from sessions.scheduled_time - sessions.booked_at) / 3600)::double precision as lead_hours,
    extract(hour from {{ local_time('sessions.scheduled_time') }})::smallint as hour,
    extract(isodow from {{ local_time('sessions.scheduled_time') }})::smallint as weekday,
    sessions.duration_minutes,
    coalesce(histories.tutor_reschedule_rate, {{ prior_mean(var('let_down_fallback_prior')) }})
        as tutor_reschedule_rate,
    coalesce(histories.tutor_no_show_rate, {{ prior_mean(var('no_show_fallback_prior')) }}) as tutor_no_show_rate,
    coalesce(histories.tutor_sessions_90d, 0) as tutor_sessions_90d,
    (
        select count(*)
        from {{ ref('fct_sessions') }} as earlier
        where
            earlier.student_id = sessions.student_id
            and earlier.tutor_id = sessions.tutor_id
            and earlier.status <> 'scheduled'
            and earlier.scheduled_on <= as_of.as_of
    ) as pair_sessions_before,
    (
        select count(*)
        from {{ ref('fct_sessions') }} as earlier
        where
            earlier.student_id = sessions.student_id
            and earlier.tutor_id = sessions.tutor_id
            and earlier.status <> 'scheduled'
            and earlier.is_tutor_reschedule
            and {{ known_on('earlier') }} <= as_of.as_of
    ) as pair_tutor_reschedules_before,
    coalesce(students.student_sessions, 0) as student_sessions_before,
    coalesce(students.student_no_show_rate, {{ prior_mean(var('student_no_show_fallback_prior')) }})
        as student_no_show_rate,
    coalesce(students.student_call_off_rate, {{ prior_mean(var('student_call_off_fallback_prior')) }})
        as student_call_off_rate,
    -- Not that of tomorrow alone: a batch may bring a new day before the roll-over has made its histories.
    coalesce(
        (
            select subjects.subject_no_show_rate
            from {{ ref('int_subject_histories') }} as subjects
            where subjects.subject = sessions.subject and subjects.known_before <= as_of.as_of + 1
            order by subjects.known_before desc
            limit 1
        ),
        case when sessions.subject is not null then {{ prior_mean(var('student_no_show_fallback_prior')) }} end
    ) as subject_no_show_rate,
    not exists (
        select
        from {{ ref('int_pairs') }} as pairs
        where
            pairs.tutor_id = sessions.tutor_id
            and pairs.student_id = sessions.student_id
            and pairs.first_session_on <= as_of.as_of
    )
    -- Of a series, the first alone.
    and not exists (
        select
        from {{ ref('stg_raw__sessions') }} as earlier
        where
            earlier.student_id = sessions.student_id
            and earlier.tutor_id = sessions.tutor_id
            and not earlier.is_final
            and earlier.scheduled_time >= (as_of.as_of::timestamp at time zone '{{ var("timezone") }}')
            and (earlier.scheduled_time, earlier.session_id) < (sessions.scheduled_time, sessions.session_id)
    ) as is_first_meeting
from {{ ref('int_as_of') }} as as_of
inner join {{ ref('stg_raw__sessions') }} as sessions
    on sessions.scheduled_time >= (as_of.as_of::timestamp at time zone '{{ var("timezone") }}')
left join {{ ref('int_tutors_now') }} as histories on sessions.tutor_id = histories.tutor_id
left join {{ ref('int_students_now') }} as students on sessions.student_id = students.student_id
where not sessions.is_final
