{{ config(materialized='view', tags=['matching']) }}

-- No CTEs: Postgres cannot look rows up by index in a view that has some, when it is joined.

select
    activity.tutor_id,
    activity.known_before - 1 as as_of,
    activity.sessions_28d,
    activity.sessions_28d_before,
    activity.sessions_change,
    activity.days_since_session,
    activity.planned_sessions_14d,
    activity.active_students,
    activity.below_peak_share,
    activity.new_students_56d,
    activity.lost_share_56d,
    activity.let_down_rate,
    activity.rating,
    activity.rating_change,
    activity.tenure_days
from {{ ref('int_tutor_activity') }} as activity
inner join {{ ref('stg_raw__tutors') }} as tutors on activity.tutor_id = tutors.tutor_id
where tutors.is_active and activity.is_latest
