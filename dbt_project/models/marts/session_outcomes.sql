-- The key is an index and no constraint: a constraint would have to be there before the rows, and slows them down.

{{ config(tags=['matching'], indexes=[{'columns': ['session_id'], 'unique': true}]) }}

with as_of as (
    select * from {{ ref('int_as_of') }}
),

sessions as (
    select * from {{ ref('fct_sessions') }}
    where status <> 'scheduled'
),

pairs as (
    select * from {{ ref('int_pairs') }}
),

tutor_histories as (
    select * from {{ ref('int_tutor_histories') }}
),

subject_histories as (
    select * from {{ ref('int_subject_histories') }}
),

labelled as (
    select
        sessions.*,
        {{ booked_on('sessions') }} as booked_on
    from sessions
    inner join as_of
        on
            sessions.scheduled_on > as_of.as_of - {{ var('session_training_days') }}
            and sessions.scheduled_on <= as_of.as_of
),

-- A session is history from its own day on, and its reschedule from the day on which that was known. And it asks, on
-- the day of its booking, what was known before.
events as (
    select
        null::uuid as session_id,
        sessions.tutor_id,
        sessions.student_id,
        sessions.scheduled_on as happened_on,
        1 as is_history,
        0 as is_tutor_reschedule,
        ({{ is_missed_by_student('sessions') }})::integer as is_missed_by_student,
        0 as is_called_off_by_student
    from sessions
    where sessions.student_id in (select labelled.student_id from labelled)

    union all

    select
        null::uuid as session_id,
        sessions.tutor_id,
        sessions.student_id,
        {{ known_on('sessions') }} as happened_on,
        0 as is_history,
        1 as is_tutor_reschedule,
        null::integer as is_missed_by_student,
        0 as is_called_off_by_student
    from sessions
    where sessions.is_tutor_reschedule and sessions.student_id in (select labelled.student_id from labelled)

    union all

    select
        null::uuid as session_id,
        sessions.tutor_id,
        sessions.student_id,
        {{ called_off_known_on('sessions') }} as happened_on,
        0 as is_history,
        0 as is_tutor_reschedule,
        null::integer as is_missed_by_student,
        1 as is_called_off_by_student
    from sessions
    where
        {{ is_called_off_by_student('sessions') }}
        and sessions.student_id in (select labelled.student_id from labelled)

    union all

    select
        session_id,
        tutor_id,
        student_id,
        booked_on as happened_on,
        0 as is_history,
        0 as is_tutor_reschedule,
        null::integer as is_missed_by_student,
        0 as is_called_off_by_student
    from labelled
),

counted as (
    select
        session_id,
        coalesce(sum(is_history) over of_pair, 0) as pair_sessions_before,
        coalesce(sum(is_tutor_reschedule) over of_pair, 0) as pair_tutor_reschedules_before,
        coalesce(sum(is_history) over of_student, 0) as student_sessions_before,
        -- A no-show that names nobody is null, and no trial.
        coalesce(count(is_missed_by_student) over of_student, 0) as student_trials,
        coalesce(sum(is_missed_by_student) over of_student, 0) as student_no_shows,
        coalesce(sum(is_called_off_by_student) over of_student, 0) as student_call_offs
    from events
    window
        of_pair as (
            partition by student_id, tutor_id order by {{ day_number('happened_on') }}
            range between unbounded preceding and 1 preceding
        ),
        of_student as (
            partition by student_id order by {{ day_number('happened_on') }}
            range between unbounded preceding and 1 preceding
        )
),

before_booking as (
    select * from counted
    where session_id is not null
),

final as (
    select
        labelled.session_id,
        labelled.tutor_id,
        labelled.student_id,
        labelled.subject,
        labelled.scheduled_time,
        labelled.scheduled_on,
        labelled.booked_on,
        (extract(epoch from labelled.scheduled_time - labelled.booked_at) / 3600)::double precision as lead_hours,
        extract(hour from {{ local_time('labelled.scheduled_time') }})::smallint as hour,
        extract(isodow from {{ local_time('labelled.scheduled_time') }})::smallint as weekday,
        labelled.duration_minutes,
        tutor_histories.tutor_reschedule_rate,
        tutor_histories.tutor_no_show_rate,
        tutor_histories.tutor_sessions_90d,
        before_booking.pair_sessions_before::bigint as pair_sessions_before,
        before_booking.pair_tutor_reschedules_before::bigint as pair_tutor_reschedules_before,
        before_booking.student_sessions_before::bigint as student_sessions_before,
        {{ shrunk_rate(
            'before_booking.student_no_shows', 'before_booking.student_trials', var('student_no_show_fallback_prior')
        ) }} as student_no_show_rate,
        {{ shrunk_rate(
            'before_booking.student_call_offs', 'before_booking.student_sessions_before',
            var('student_call_off_fallback_prior')
        ) }} as student_call_off_rate,
        subject_histories.subject_no_show_rate,
        case
            when pairs.first_session_on < labelled.booked_on then false
            -- Of a series, the first alone: on the day of the booking, no earlier session of the two was planned.
            else not exists (
                    select
                    -- Not a CTE, in which nothing could be looked up by index.
                    from {{ ref('int_session_facts') }} as earlier
                    inner join {{ ref('int_session_facts') }} as this on labelled.session_id = this.session_id
                    cross join
                        lateral (
                            select
                                case
                                    when earlier.requested_on < labelled.booked_on then earlier.scheduled_time
                                    else coalesce(earlier.original_time, earlier.scheduled_time)
                                end as planned_time
                        ) as then_known
                    where
                        earlier.student_id = labelled.student_id
                        and earlier.tutor_id = labelled.tutor_id
                        and {{ booked_on('earlier') }} <= labelled.booked_on
                        and {{ reporting_date('then_known.planned_time') }} >= labelled.booked_on
                        and (then_known.planned_time, earlier.session_id)
                        < (coalesce(this.original_time, this.scheduled_time), this.session_id)
                        and coalesce(earlier.cancelled_on >= labelled.booked_on, true)
                        and (
                            earlier.status <> 'rescheduled'
                            or coalesce(earlier.requested_on >= labelled.booked_on, true)
                        )
                )
        end as is_first_meeting,
        labelled.is_tutor_reschedule or labelled.is_tutor_no_show as is_disrupted,
        {{ is_missed_by_student('labelled') }} as is_student_no_show
    from labelled
    inner join before_booking on labelled.session_id = before_booking.session_id
    inner join tutor_histories
        on labelled.tutor_id = tutor_histories.tutor_id and labelled.booked_on = tutor_histories.known_before
    left join subject_histories
        on labelled.subject = subject_histories.subject and labelled.booked_on = subject_histories.known_before
    left join pairs on labelled.tutor_id = pairs.tutor_id and labelled.student_id = pairs.student_id
)

select * from final
