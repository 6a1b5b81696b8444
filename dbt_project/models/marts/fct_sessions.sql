{{ config(materialized='view') }}

-- No CTEs: Postgres cannot look rows up by index in a view that has some, when it is joined.

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
    has_reschedule,
    reschedule_initiator,
    reason_code,
    requested_at,
    requested_on,
    notice_hours,
    is_excused,
    is_tutor_reschedule,
    is_short_notice,
    is_tutor_no_show,
    counted_on
from {{ ref('int_session_facts') }}
