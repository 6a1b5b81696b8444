{{ config(materialized='view', tags=['matching']) }}

-- No CTEs: Postgres cannot look rows up by index in a view that has some, when it is joined.

select
    tutors.tutor_id,
    tutors.external_id,
    tutors.name,
    tutors.subjects,
    tutors.is_active and not tutors.is_stub as is_active,
    tutors.capacity,
    tutors.age,
    tutors.experience_years::double precision as experience_years,
    tutors.teaching_style,
    tutors.preferred_pace,
    tutors.communication_style,
    coalesce(histories.tutor_sessions_90d, 0) as tutor_sessions_90d,
    coalesce(histories.tutor_let_down_rate, {{ prior_mean(var('let_down_fallback_prior')) }}) as tutor_let_down_rate,
    coalesce(histories.tutor_reschedule_rate, {{ prior_mean(var('let_down_fallback_prior')) }})
        as tutor_reschedule_rate,
    coalesce(histories.tutor_no_show_rate, {{ prior_mean(var('no_show_fallback_prior')) }}) as tutor_no_show_rate,
    coalesce(histories.tutor_continuation_rate, {{ prior_mean(var('first_session_fallback_prior')) }})
        as tutor_continuation_rate,
    coalesce(histories.tutor_rating, {{ var('rating_fallback_mean') }}) as tutor_rating,
    coalesce(histories.tutor_rating_all_time, {{ var('rating_fallback_mean') }}) as tutor_rating_all_time,
    coalesce(histories.active_students, 0) as active_students,
    -- not greatest(0, …): it ignores nulls, and would turn an unknown capacity into none
    (tutors.capacity - least(tutors.capacity, coalesce(histories.active_students, 0)))::integer as free_capacity,
    scores.let_down_rate_expected as let_down_probability,
    {{ let_down_level('scores', 'platform') }} as let_down_level
from {{ ref('stg_raw__tutors') }} as tutors
left join {{ ref('int_tutors_now') }} as histories on tutors.tutor_id = histories.tutor_id
left join {{ ref('tutor_scores') }} as scores on tutors.tutor_id = scores.tutor_id
left join {{ ref('platform_baseline') }} as platform on true
