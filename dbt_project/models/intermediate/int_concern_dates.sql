-- The days on which today's concerns depend: the as-of day and those before; and days that are recorded again.

with scoring_days as (
    select * from {{ ref('int_scoring_days') }}
),

last_days as (
    select
        scoring_days.as_of - age as concern_day,
        age = 0 as is_as_of
    from scoring_days
    cross join generate_series(0, {{ var('concern_days') - 1 }}) as age
    where scoring_days.is_as_of
),

final as (
    select * from last_days
    union all
    select
        as_of as concern_day,
        false as is_as_of
    from scoring_days
    where as_of < (select min(last_days.concern_day) from last_days)
)

select * from final
