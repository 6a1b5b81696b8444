{{ config(materialized='view') }}

-- What is kept of the days before, and what the as-of day makes of it.

with scoring_days as (
    select * from {{ ref('int_scoring_days') }}
    where is_as_of
),

stretches as (
    select stretches.*
    from {{ ref('int_concern_stretches') }} as stretches
    inner join scoring_days on stretches.raised_on < scoring_days.as_of
),

concerns as (
    select * from {{ ref('tutor_concerns') }}
),

past as (
    select * from stretches
    where cleared_on is not null
),

present as (
    select
        stretches.tutor_id,
        stretches.concern,
        stretches.raised_on,
        stretches.probability_when_raised,
        concerns.probability,
        coalesce(concerns.status = 'raised', false) as is_open
    from stretches
    left join concerns on stretches.tutor_id = concerns.tutor_id and stretches.concern = concerns.concern
    where stretches.cleared_on is null
),

new as (
    select * from concerns
    where
        status = 'raised'
        and not exists (
            select from present
            where present.tutor_id = concerns.tutor_id and present.concern = concerns.concern
        )
),

flags as (
    select
        *,
        false as is_open
    from past
    union all
    select
        present.tutor_id,
        present.concern,
        present.raised_on,
        case when not present.is_open then scoring_days.as_of end as cleared_on,
        present.probability_when_raised,
        case when not present.is_open then present.probability end as probability_when_cleared,
        present.is_open
    from present
    cross join scoring_days
    union all
    select
        tutor_id,
        concern,
        as_of as raised_on,
        null as cleared_on,
        probability as probability_when_raised,
        null as probability_when_cleared,
        true as is_open
    from new
),

final as (
    select
        tutor_id || ' ' || concern || ' ' || to_char(raised_on, 'YYYY-MM-DD') as flag_key,
        *
    from flags
)

select * from final -- noqa: AM04
