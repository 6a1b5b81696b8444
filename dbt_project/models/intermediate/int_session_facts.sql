{% set causes = {
    'reschedules': 'is_tutor_reschedule', 'cancellations': 'is_tutor_cancellation', 'no_shows': 'is_tutor_no_show',
} %}

{{
    config(
        materialized='incremental',
        queue={'from': 'raw.changes', 'key': {'entity_id': 'session_id'}, 'where': "entity = 'session'"},
        passes_on={
            'intermediate.touched_tutor_days': ['tutor_id', 'counted_on'],
            'intermediate.touched_pairs': ['tutor_id', 'student_id'],
            'intermediate.touched_histories': ['tutor_id', 'student_id', 'counted_on'],
        },
        post_hook='select marts.tell_missed_sessions(null)',
        gate=0,
        order_by='scheduled_time',
        indexes=[
            {'columns': ['session_id'], 'unique': true},
            {'columns': ['tutor_id', 'counted_on']},
            {'columns': ['student_id', 'tutor_id']},
        ],
    )
}}

-- depends_on: {{ function('tell_missed_sessions') }}

with sessions as (
    select * from {{ ref('stg_raw__sessions') }}
),

moves as (
    select * from {{ ref('int_deciding_moves') }}
),

excuses as (
    select * from {{ ref('stg_app__excuses') }}
),

joined as (
    select
        sessions.session_id,
        sessions.external_id,
        sessions.tutor_id,
        sessions.student_id,
        sessions.subject,
        sessions.status,
        -- From its first move on a session counts, also while it waits at its new time.
        sessions.is_final or moves.session_id is not null as is_final,
        sessions.scheduled_time,
        sessions.scheduled_on,
        sessions.booked_at,
        sessions.started_at,
        sessions.completed_time,
        case when sessions.status = 'cancelled' then sessions.cancelled_at end as cancelled_at,
        case when sessions.status = 'cancelled' then sessions.cancelled_on end as cancelled_on,
        sessions.duration_minutes,
        sessions.rating,
        sessions.initiator,
        sessions.reason_code as session_reason_code,
        sessions.technical_issue,
        sessions.lesson_id,
        moves.session_id is not null as has_move,
        moves.initiator as reschedule_initiator,
        moves.reason_code as move_reason_code,
        moves.reason,
        moves.requested_at,
        moves.requested_on,
        moves.original_time,
        moves.new_time,
        moves.notice as move_notice,
        excuses.session_id is not null as is_excused,
        -- By the tutor, excused or not.
        coalesce(moves.initiator = 'tutor', false) as is_moved_by_tutor,
        sessions.status in ('cancelled', 'no_show')
        and coalesce(sessions.initiator = 'tutor', false) as is_dropped_by_tutor
    from sessions
    left join moves on sessions.session_id = moves.session_id
    left join excuses on sessions.session_id = excuses.session_id
),

explained as (
    select
        *,
        -- What is told of the session, its reason and time, is told of what the tutor did, if the tutor did anything.
        has_move and (is_moved_by_tutor or not is_dropped_by_tutor) as is_told_by_move,
        scheduled_time - cancelled_at as cancellation_notice
    from joined
),

judged as (
    select
        *,
        case
            when is_moved_by_tutor and is_dropped_by_tutor then least(move_notice, cancellation_notice)
            when is_told_by_move then move_notice
            else cancellation_notice
        end as notice,
        is_moved_by_tutor and not is_excused as is_tutor_reschedule,
        is_dropped_by_tutor and status = 'cancelled' and not is_excused as is_tutor_cancellation,
        is_dropped_by_tutor and status = 'no_show' and not is_excused as is_tutor_no_show,
        not is_excused and reschedule_initiator = 'student' as is_student_reschedule,
        not is_excused and status = 'cancelled' and initiator = 'student' as is_student_cancellation,
        not is_excused and status = 'no_show' and initiator = 'student' as is_student_no_show
    from explained
),

final as (
    select
        session_id,
        external_id,
        tutor_id,
        student_id,
        subject,
        status,
        is_final,
        scheduled_time,
        scheduled_on,
        booked_at,
        started_at,
        completed_time,
        cancelled_at,
        cancelled_on,
        duration_minutes,
        rating,
        initiator,
        technical_issue,
        lesson_id,
        has_move or status = 'rescheduled' as has_reschedule,
        reschedule_initiator,
        case
            when is_moved_by_tutor or is_dropped_by_tutor then 'tutor'
            else coalesce(reschedule_initiator, case when status in ('cancelled', 'no_show') then initiator end)
        end as caused_by,
        case when is_told_by_move then move_reason_code else session_reason_code end as reason_code,
        reason,
        requested_at,
        requested_on,
        original_time,
        new_time,
        case when is_told_by_move then requested_at else cancelled_at end as called_off_at,
        case when is_told_by_move then requested_on else cancelled_on end as called_off_on,
        (extract(epoch from notice) / 3600)::double precision as notice_hours,
        (extract(epoch from started_at - scheduled_time) / 60)::double precision as lateness_minutes,
        is_excused,
        is_tutor_reschedule,
        is_tutor_cancellation,
        is_tutor_no_show,
        coalesce(is_student_reschedule, false) as is_student_reschedule,
        coalesce(is_student_cancellation, false) as is_student_cancellation,
        coalesce(is_student_no_show, false) as is_student_no_show,
        {% for cause in var('reliability_counts') %}
            {{ 'or ' if not loop.first }}{{ causes[cause] }}
        {% endfor %} as is_let_down,
        (is_tutor_reschedule or is_tutor_cancellation)
        and coalesce(notice < {{ var('short_notice_hours') }} * interval '1 hour', false) as is_short_notice,
        coalesce(started_at > scheduled_time + {{ var('late_start_minutes') }} * interval '1 minute', false)
            as is_late_start,
        -- A session counts on the day that decided it: its own, or the earlier one on which it was called off. A
        -- student who leaves a lesson early leaves it on its day, so that it counts once (decision 64).
        case
            when lesson_id is null or is_moved_by_tutor or is_dropped_by_tutor
                then least(scheduled_on, requested_on, cancelled_on)
            else least(scheduled_on, {{ reporting_date('original_time') }})
        end as counted_on
    from judged
)

select * from final
