-- The days on which today's concerns depend: the as-of day and those before.

with scoring_days as (
    select * from {{ ref('int_scoring_days') }}
    where is_as_of
),

final as (
    select
        scoring_days.as_of - age as concern_day,
        age = 0 as is_as_of
    from scoring_days
    cross join generate_series(0, {{ var('concern_days') - 1 }}) as age
)

select * from final
