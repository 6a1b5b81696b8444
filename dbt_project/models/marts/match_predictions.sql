{{ config(materialized='view', tags=['matching']) }}

{% set apart = {
    'pace': mismatch('pace', 'students', 'tutors'),
    'style': mismatch('style', 'students', 'tutors'),
    'communication': mismatch('communication', 'students', 'tutors'),
    'age': mismatch('age', 'students', 'tutors'),
} %}

-- No CTEs: Postgres cannot look rows up by index in a view that has some, when it is joined. Outer joins: Postgres
-- leaves out those of which a reader asks no column.

select
    predictions.bucket,
    predictions.student_id,
    predictions.tutor_id,
    predictions.churn_probability,
    case
        when predictions.churn_probability < runs.medium_from then 'low'
        when predictions.churn_probability < runs.high_from then 'medium'
        else 'high'
    end as risk_level,
    {{ compatibility_score(apart) }}::real as compatibility_score,
    ({{ apart.pace }})::real as pace_mismatch,
    ({{ apart.style }})::real as style_mismatch,
    ({{ apart.communication }})::real as communication_mismatch,
    ({{ apart.age }})::real as age_mismatch,
    runs.model_version,
    runs.predicted_at
from {{ ref('stg_ml__match_predictions') }} as predictions
left join {{ ref('stg_ml__match_runs') }} as runs on predictions.run_id = runs.run_id
left join {{ ref('stg_raw__students') }} as students on predictions.student_id = students.student_id
left join {{ ref('stg_raw__tutors') }} as tutors on predictions.tutor_id = tutors.tutor_id
