select
    session_id,
    move_time,
    initiator,
    reason_code,
    reason,
    requested_at,
    {{ reporting_date('requested_at') }} as requested_on,
    original_time,
    new_time,
    updated_at,
    loaded_at
from {{ source('raw', 'reschedules') }}
