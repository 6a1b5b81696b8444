{{ config(materialized='view', tags=['matching']) }}

-- No CTEs: Postgres cannot look rows up by index in a view that has some, when it is joined.

select
    predictions.tutor_id,
    predictions.as_of,
    predictions.stop_probability,
    case
        when predictions.stop_probability >= {{ var('attrition_high') }} then 'high'
        when predictions.stop_probability >= {{ var('attrition_medium') }} then 'medium'
        else 'low'
    end as level,
    predictions.factors,
    predictions.model_version,
    predictions.predicted_at,
    features.sessions_28d,
    features.sessions_28d_before,
    features.days_since_session,
    features.planned_sessions_14d
from {{ ref('stg_ml__tutor_predictions') }} as predictions
inner join {{ ref('stg_raw__tutors') }} as tutors on predictions.tutor_id = tutors.tutor_id
left join {{ ref('attrition_features') }} as features on predictions.tutor_id = features.tutor_id
where tutors.is_active
