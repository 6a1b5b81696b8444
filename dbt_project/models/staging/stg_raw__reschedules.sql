-- No CTEs: Postgres cannot look rows up by index in a view that has some, when it is joined.

select
    session_id,
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
