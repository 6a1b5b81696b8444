-- No CTEs: Postgres cannot look rows up by index in a view that has some, when it is joined.

select
    session_id,
    external_id,
    tutor_id,
    student_id,
    subject,
    status,
    status <> 'scheduled' as is_final,
    scheduled_time,
    {{ reporting_date('scheduled_time') }} as scheduled_on,
    booked_at,
    started_at,
    completed_time,
    cancelled_at,
    {{ reporting_date('cancelled_at') }} as cancelled_on,
    duration_minutes,
    rating,
    initiator,
    reason_code,
    technical_issue,
    lesson_id,
    updated_at,
    loaded_at
from {{ source('raw', 'sessions') }}
