{{ config(tags=['matching']) }}

-- No CTEs: Postgres cannot look rows up by index in a view that has some, when it is joined.

select
    bucket,
    student_id,
    tutor_id,
    churn_probability,
    risk_level,
    compatibility_score,
    pace_mismatch,
    style_mismatch,
    communication_mismatch,
    age_mismatch,
    model_version,
    predicted_at
from {{ source('ml', 'match_predictions') }}
