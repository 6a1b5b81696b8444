-- No CTEs: Postgres cannot look rows up by index in a view that has some, when it is joined.

select
    tutor_id,
    external_id,
    name,
    email,
    subjects,
    is_active,
    hired_at,
    capacity,
    age,
    experience_years,
    teaching_style,
    preferred_pace,
    communication_style,
    time_zone,
    is_stub
from {{ source('raw', 'tutors') }}
