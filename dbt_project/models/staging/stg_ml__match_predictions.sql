{{ config(tags=['matching']) }}

-- No CTEs: Postgres cannot look rows up by index in a view that has some, when it is joined.

select
    bucket,
    student_id,
    tutor_id,
    churn_probability,
    run_id
from {{ source('ml', 'match_predictions') }}
