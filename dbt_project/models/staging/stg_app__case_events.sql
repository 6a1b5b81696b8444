select
    event_id,
    case_id,
    kind,
    happened_at,
    happened_on,
    corrects as corrects_event_id,
    person_id,
    details ->> 'channel' as channel,
    details ->> 'cause' as cause,
    details ->> 'action' as agreed_action
from {{ source('app', 'case_events') }}
