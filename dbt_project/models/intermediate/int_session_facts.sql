{{
    config(
        materialized='incremental',
        queue={'from': 'raw.changes', 'key': {'entity_id': 'session_id'}, 'where': "entity = 'session'"},
        passes_on={
            'intermediate.touched_tutor_days': ['tutor_id', 'counted_on'],
            'intermediate.touched_pairs': ['tutor_id', 'student_id'],
        },
        gate=0,
        order_by='scheduled_time',
        indexes=[
            {'columns': ['session_id'], 'unique': true},
            {'columns': ['tutor_id', 'counted_on']},
            {'columns': ['student_id', 'tutor_id']},
        ],
    )
}}

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
        sessions.*,
        moves.initiator as reschedule_initiator,
        moves.reason_code,
        moves.reason,
        moves.requested_at,
        moves.requested_on,
        moves.original_time,
        moves.new_time,
        extract(epoch from coalesce(moves.original_time, sessions.scheduled_time) - moves.requested_at)
        / 3600 as notice_hours,
        moves.session_id is not null as has_reschedule_record,
        excuses.session_id is not null as is_excused
    from sessions
    left join moves on sessions.session_id = moves.session_id
    left join excuses on sessions.session_id = excuses.session_id
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
        completed_time,
        duration_minutes,
        rating,
        initiator,
        has_reschedule_record or status = 'rescheduled' as has_reschedule,
        reschedule_initiator,
        reason_code,
        reason,
        requested_at,
        requested_on,
        original_time,
        new_time,
        notice_hours::double precision as notice_hours,
        is_excused,
        coalesce(reschedule_initiator = 'tutor', false) and not is_excused as is_tutor_reschedule,
        coalesce(reschedule_initiator = 'tutor' and notice_hours < {{ var('short_notice_hours') }}, false)
        and not is_excused as is_short_notice,
        status = 'no_show' and coalesce(initiator = 'tutor', false) as is_tutor_no_show,
        -- A session counts on the day that decided it: its own, or the earlier one on which it was called off.
        least(scheduled_on, requested_on) as counted_on
    from joined
)

select * from final
