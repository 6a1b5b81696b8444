{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook=["{{ keep_live_writers_out() }}", "{{ take_changed_sessions() }}"],
        post_hook=[
            "{{ pass_on_changed_sessions() }}",
            "{{ create_redo('changed_sessions', {'entity_id': 'session_id'}) }}",
        ],
        indexes=[
            {'columns': ['session_id'], 'unique': true},
            {'columns': ['tutor_id', 'counted_on']},
            {'columns': ['student_id', 'tutor_id']},
        ],
        meta={'depends_on_timezone': true},
    )
}}

with sessions as (
    select * from {{ ref('stg_raw__sessions') }}
    {% if is_incremental() %}
        where session_id in (select changed_sessions.entity_id from changed_sessions)
    {% endif %}
),

reschedules as (
    select * from {{ ref('stg_raw__reschedules') }}
),

excuses as (
    select * from {{ ref('stg_app__excuses') }}
),

joined as (
    select
        sessions.*,
        reschedules.initiator as reschedule_initiator,
        reschedules.reason_code,
        reschedules.reason,
        reschedules.requested_at,
        reschedules.requested_on,
        reschedules.original_time,
        reschedules.new_time,
        extract(epoch from coalesce(reschedules.original_time, sessions.scheduled_time) - reschedules.requested_at)
        / 3600 as notice_hours,
        reschedules.session_id is not null as has_reschedule_record,
        excuses.session_id is not null as is_excused
    from sessions
    left join reschedules on sessions.session_id = reschedules.session_id
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
{# As they come by themselves from now on, so that the recent rows lie together. #}
{{ 'order by scheduled_time' if not is_incremental() }}
