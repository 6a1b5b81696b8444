select
    person_id,
    name as person_name
from {{ source('app', 'people') }}
