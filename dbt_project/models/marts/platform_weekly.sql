{{ config(materialized='incremental') }}

-- Emptied and filled, and not put in the place of another table, because tutor_weekly is a view of it.

with tutor_weeks as (
    select * from {{ ref('int_tutor_weeks') }}
),

final as (
    select
        week_start,
        sum(sessions)::bigint as sessions,
        sum(reschedules)::bigint as reschedules,
        sum(tutor_reschedules)::bigint as tutor_reschedules,
        sum(tutor_no_shows)::bigint as tutor_no_shows,
        sum(tutor_reschedules)::double precision / sum(sessions)::double precision as reschedule_rate,
        sum(tutor_no_shows)::double precision / sum(sessions)::double precision as tutor_no_show_rate,
        (sum(rating_sum) / nullif(sum(ratings), 0))::double precision as rating_mean
    from tutor_weeks
    group by week_start
)

select * from final
