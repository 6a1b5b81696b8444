{{ config(materialized='incremental', tags=['nightly']) }}

-- Odds of a let-down within tutors, by Mantel and Haenszel (JNCI 22, 1959): a level of a dimension against the
-- commonest one. Sums are made in numeric, so that the order of rows cannot change a digit.

with slots as (
    select * from {{ ref('int_slots') }}
),

counts as (
    select
        slots.tutor_id,
        cell.dimension,
        cell.level,
        count(*) as sessions,
        count(*) filter (where slots.is_let_down) as let_downs
    from slots
    cross join
        lateral (
            values
            ('subject', coalesce(slots.subject, '')),
            ('weekday', slots.weekday::text),
            ('daypart', slots.daypart)
        ) as cell (dimension, level)
    group by slots.tutor_id, cell.dimension, cell.level
),

levels as (
    select
        dimension,
        level,
        sum(sessions)::bigint as sessions,
        sum(let_downs)::bigint as let_downs,
        row_number() over (partition by dimension order by sum(sessions) desc, level) = 1 as is_reference
    from counts
    group by dimension, level
),

of_reference as (
    select counts.*
    from counts
    inner join levels on counts.dimension = levels.dimension and counts.level = levels.level
    where levels.is_reference
),

ratios as (
    select
        counts.dimension,
        counts.level,
        sum(
            (counts.let_downs * (of_reference.sessions - of_reference.let_downs))::numeric
            / (counts.sessions + of_reference.sessions)
        ) as for_let_downs,
        sum(
            ((counts.sessions - counts.let_downs) * of_reference.let_downs)::numeric
            / (counts.sessions + of_reference.sessions)
        ) as against
    from counts
    inner join of_reference
        on counts.tutor_id = of_reference.tutor_id and counts.dimension = of_reference.dimension
    group by counts.dimension, counts.level
),

final as (
    select
        levels.dimension,
        levels.level,
        levels.is_reference,
        levels.sessions,
        levels.let_downs,
        case
            when
                not levels.is_reference
                and least(levels.let_downs, usual.let_downs) >= {{ var('case_mix_least_events') }}
                and ratios.for_let_downs > 0
                then coalesce((ratios.for_let_downs / nullif(ratios.against, 0))::double precision, 1)
            else 1
        end as odds
    from levels
    inner join levels as usual on levels.dimension = usual.dimension and usual.is_reference
    left join ratios on levels.dimension = ratios.dimension and levels.level = ratios.level
)

select * from final
