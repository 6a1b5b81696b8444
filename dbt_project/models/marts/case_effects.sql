{{ config(materialized='view') }}

-- Days count from the day after the opening: what opened the case is no part of what came after it.

with cases as (
    select * from {{ ref('stg_app__cases') }}
    where
        opening_concerns && array[
            {% for concern in var('let_down_concerns') %}
                '{{ concern }}'{{ ',' if not loop.last }}
            {% endfor %}
        ]
),

contacts as (
    select
        case_id,
        min(contacted_at) as first_contact_at
    from {{ ref('int_case_contacts') }}
    group by case_id
),

tutor_days as (
    select * from {{ ref('int_tutor_days') }}
),

as_of as (
    select * from {{ ref('int_as_of') }}
),

followed as (
    select
        cases.case_id,
        cases.tutor_id,
        cases.arm,
        cases.opened_on,
        cases.opened_on + {{ var('case_effect_days') }} as followed_until,
        coalesce(
            contacts.first_contact_at < cases.opened_at + interval '{{ var("case_effect_days") }} days', false
        ) as is_talked_to,
        cases.let_down_rate_expected as rate,
        -- As of a normal distribution, of which 90% lie within 1.645 standard deviations.
        (cases.let_down_rate_high - cases.let_down_rate_low) / 3.29 as rate_deviation,
        coalesce(counts.sessions, 0) as sessions,
        coalesce(counts.let_downs, 0) as let_downs
    from cases
    left join contacts on cases.case_id = contacts.case_id
    cross join lateral (
        select
            sum(tutor_days.sessions)::bigint as sessions,
            sum(tutor_days.let_downs)::bigint as let_downs
        from tutor_days
        where
            tutor_days.tutor_id = cases.tutor_id
            and tutor_days.counted_on > cases.opened_on
            and tutor_days.counted_on <= cases.opened_on + {{ var('case_effect_days') }}
    ) as counts
),

final as (
    select
        followed.case_id,
        followed.tutor_id,
        followed.arm,
        followed.opened_on,
        followed.followed_until,
        followed.followed_until <= as_of.as_of as is_over,
        followed.is_talked_to,
        followed.sessions,
        followed.let_downs,
        followed.rate * followed.sessions as let_downs_expected,
        -- Of a beta-binomial distribution: n·p·(1-p) if the rate were known, n·(n-1)·v for the estimate's variance v.
        followed.sessions * (
            followed.rate * (1 - followed.rate) + (followed.sessions - 1) * followed.rate_deviation ^ 2
        ) as let_downs_expected_variance
    from followed
    cross join as_of
)

select * from final
