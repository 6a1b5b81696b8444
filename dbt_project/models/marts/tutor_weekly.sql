{{ config(materialized='view') }}

-- No CTEs: Postgres cannot look rows up by index in a view that has some, when it is joined.

select
    tutor_weeks.tutor_id,
    tutor_weeks.week_start,
    tutor_weeks.sessions,
    tutor_weeks.reschedules,
    tutor_weeks.tutor_reschedules,
    tutor_weeks.tutor_no_shows,
    tutor_weeks.short_notice_reschedules,
    tutor_weeks.tutor_reschedules::double precision / tutor_weeks.sessions as reschedule_rate,
    platform_weeks.reschedule_rate as platform_reschedule_rate,
    (tutor_weeks.rating_sum / nullif(tutor_weeks.ratings, 0))::double precision as rating_mean
from {{ ref('int_tutor_weeks') }} as tutor_weeks
inner join {{ ref('platform_weekly') }} as platform_weeks on tutor_weeks.week_start = platform_weeks.week_start
