{{ config(tags=['matching']) }}

-- No CTEs: Postgres cannot look rows up by index in a view that has some, when it is joined.

select
    session_id,
    tutor_disruption_probability,
    model_version,
    student_no_show_probability,
    student_model_version,
    predicted_at
from {{ source('ml', 'session_predictions') }}
