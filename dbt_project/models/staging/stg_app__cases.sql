select
    case_id,
    tutor_id,
    state,
    closed_at is null as is_open,
    reason,
    owner_id,
    priority,
    due_on,
    snoozed_until,
    concerns,
    standing as raised_concerns,
    opened_on,
    opened_at,
    opened_by,
    suggested_at,
    reopened_at,
    closed_at
from {{ source('app', 'cases') }}
