select
    cases.case_id,
    cases.tutor_id,
    cases.state,
    cases.closed_at is null as is_open,
    cases.reason,
    cases.owner_id,
    people.name as owner_name,
    cases.priority,
    cases.due_on,
    cases.snoozed_until,
    cases.concerns,
    cases.standing as raised_concerns,
    cases.opened_on,
    cases.opened_at,
    cases.opened_by,
    cases.suggested_at,
    cases.reopened_at,
    cases.closed_at
from {{ source('app', 'cases') }} as cases
left join {{ source('app', 'people') }} as people on cases.owner_id = people.person_id
