{{ config(materialized='view') }}

-- No CTEs: Postgres cannot look rows up by index in a view that has some.

select
    new_students.tutor_id,
    numbers.session_number,
    count(*) as students,
    count(*) filter (where new_students.sessions >= numbers.session_number) as came
from (
    select
        pairs.tutor_id,
        pairs.student_id,
        count(*) as sessions
    from {{ ref('int_as_of') }} as as_of
    inner join {{ ref('int_pairs') }} as pairs
        on
            pairs.first_session_on > as_of.as_of - {{ var('first_session_window_days') }}
            and pairs.first_session_on <= as_of.as_of - {{ var('retention_days') }}
    inner join {{ ref('int_session_facts') }} as sessions
        on
            pairs.student_id = sessions.student_id
            and pairs.tutor_id = sessions.tutor_id
            and pairs.first_session_on + {{ var('retention_days') }} >= sessions.scheduled_on
    where sessions.status = 'completed'
    group by pairs.tutor_id, pairs.student_id
) as new_students
cross join generate_series(1, {{ var('retention_sessions') }}) as numbers (session_number)
group by new_students.tutor_id, numbers.session_number
