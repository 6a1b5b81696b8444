with as_of as (
    select * from {{ ref('int_as_of') }}
),

tutor_days as (
    select * from {{ ref('int_tutor_days') }}
),

final as (
    select
        tutor_days.tutor_id,
        date_trunc('week', tutor_days.counted_on::timestamp)::date as week_start,
        sum(tutor_days.sessions)::bigint as sessions,
        sum(tutor_days.reschedules)::bigint as reschedules,
        sum(tutor_days.tutor_reschedules)::bigint as tutor_reschedules,
        sum(tutor_days.tutor_no_shows)::bigint as tutor_no_shows,
        sum(tutor_days.short_notice_reschedules)::bigint as short_notice_reschedules,
        sum(tutor_days.ratings)::bigint as ratings,
        sum(tutor_days.rating_sum) as rating_sum
    from tutor_days
    inner join as_of
        on
            tutor_days.counted_on <= as_of.as_of
            and tutor_days.counted_on >= date_trunc('week', as_of.as_of::timestamp)::date - 51 * 7
    group by tutor_days.tutor_id, date_trunc('week', tutor_days.counted_on::timestamp)
)

select * from final
