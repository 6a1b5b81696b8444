-- Weeks have 7 days and months 28, counted back from the as-of day, so that no week is in two months; the last 13
-- months. Sums are made in numeric, so that the order of rows cannot change a digit.

with scoring_days as (
    select * from {{ ref('int_scoring_days') }}
    where is_as_of
),

tutor_days as (
    select * from {{ ref('int_tutor_days') }}
),

weeks as (
    select
        tutor_days.tutor_id,
        (scoring_days.as_of - tutor_days.counted_on) / 28 as months_ago,
        sum(tutor_days.sessions) as sessions,
        sum(tutor_days.let_downs) as let_downs
    from scoring_days
    inner join tutor_days
        on
            tutor_days.counted_on > scoring_days.as_of - {{ 13 * 28 }}
            and tutor_days.counted_on <= scoring_days.as_of
    group by tutor_days.tutor_id, months_ago, (scoring_days.as_of - tutor_days.counted_on) / 7
),

months as (
    select
        sessions,
        let_downs,
        sum(sessions) over by_month as sessions_of_month,
        sum(let_downs) over by_month / sum(sessions) over by_month as rate
    from weeks
    window by_month as (partition by tutor_id, months_ago)
),

sums as (
    select
        sum((let_downs - sessions * rate) ^ 2) as spread,
        sum(sessions * rate * (1 - rate) * (1 - sessions / sessions_of_month)) as expected_spread
    from months
),

final as (
    select
        case
            when expected_spread > 0 then least(2, greatest(1, spread / expected_spread))
            else 1
        end::double precision as design_effect
    from sums
)

select * from final
