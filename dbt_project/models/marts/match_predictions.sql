{{ config(materialized='view', tags=['matching']) }}

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
from {{ ref('stg_ml__match_predictions') }}
