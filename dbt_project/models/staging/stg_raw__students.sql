-- No CTEs: Postgres cannot look rows up by index in a view that has some, when it is joined.

select
    student_id,
    external_id,
    name,
    age,
    subjects,
    preferred_teaching_style,
    preferred_pace,
    communication_style,
    urgency_level,
    is_stub
from {{ source('raw', 'students') }}
