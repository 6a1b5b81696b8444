-- The smallest number k of further sessions without a tutor reschedule after which the risk would be below
-- the watch level, by bisection: k more clean sessions turn Beta(a, b) into Beta(a, b + k), and the risk falls
-- with every one of them.

with recursive posteriors as materialized (
    select
        as_of,
        tutor_id,
        a,
        b
    from {{ ref('int_tutor_posteriors') }}
    where is_flagged
),

grid as materialized (
    select * from {{ ref('int_beta_grid') }}
),

brackets as (
    select
        as_of,
        tutor_id,
        a,
        b,
        0 as too_few,
        {{ var('most_sessions_to_clear') }} + 1 as enough
    from posteriors
    union all
    select
        brackets.as_of,
        brackets.tutor_id,
        brackets.a,
        brackets.b,
        case when verdict.is_enough then brackets.too_few else halving.middle end as too_few,
        case when verdict.is_enough then halving.middle else brackets.enough end as enough
    from brackets
    cross join lateral (select (brackets.too_few + brackets.enough) / 2 as middle) as halving
    cross join lateral {{ beta_summary('grid', 'brackets.a', '(brackets.b + halving.middle)') }} as beta
    cross join lateral (select beta.probability_above < {{ var('watch_probability') }} as is_enough) as verdict
    where brackets.enough - brackets.too_few > 1
),

final as (
    select
        as_of,
        tutor_id,
        enough as sessions_to_clear
    from brackets
    where
        enough - too_few = 1
        and enough <= {{ var('most_sessions_to_clear') }}
)

select * from final
