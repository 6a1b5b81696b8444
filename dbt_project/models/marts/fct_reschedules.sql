{{ config(materialized='view') }}

-- No CTEs: Postgres cannot look rows up by index in a view that has some, when it is joined.

select
    session_id,
    tutor_id,
    student_id,
    subject,
    reschedule_initiator as initiator,
    reason_code,
    reason,
    requested_at,
    requested_on,
    original_time,
    new_time,
    notice_hours,
    is_excused,
    is_tutor_reschedule,
    is_short_notice,
    is_final,
    counted_on
from {{ ref('int_session_facts') }}
where reschedule_initiator is not null
