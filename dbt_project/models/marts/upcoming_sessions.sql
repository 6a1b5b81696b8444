{{ config(materialized='view', tags=['matching']) }}

-- No CTEs: Postgres cannot look rows up by index in a view that has some, when it is joined.

select
    sessions.session_id,
    sessions.external_id,
    sessions.tutor_id,
    sessions.student_id,
    sessions.subject,
    sessions.scheduled_time,
    sessions.scheduled_on,
    sessions.lead_hours,
    sessions.hour,
    sessions.weekday,
    sessions.duration_minutes,
    sessions.tutor_reschedule_rate,
    sessions.tutor_no_show_rate,
    sessions.tutor_sessions_90d,
    sessions.pair_sessions_before,
    sessions.pair_tutor_reschedules_before,
    sessions.student_sessions_before,
    sessions.student_no_show_rate,
    sessions.student_call_off_rate,
    sessions.subject_no_show_rate,
    sessions.is_first_meeting,
    tutors.let_down_probability,
    tutors.let_down_level as risk_level,
    predictions.tutor_disruption_probability,
    predictions.model_version,
    predictions.student_no_show_probability,
    case
        when predictions.student_no_show_probability > {{ var('risk_threshold') }} then 'high'
        when predictions.student_no_show_probability > {{ var('risk_threshold') }} / 2.0 then 'medium'
        when predictions.student_no_show_probability is not null then 'low'
    end as student_risk_level,
    predictions.student_model_version,
    predictions.predicted_at
from {{ ref('upcoming_session_features') }} as sessions
left join {{ ref('match_tutors') }} as tutors on sessions.tutor_id = tutors.tutor_id
left join {{ ref('stg_ml__session_predictions') }} as predictions on sessions.session_id = predictions.session_id
