{#
    A prior of a rate in cells: 96 from 0 to the limit, 96 from there to 1. What follows from trials and events is then one
    product per cell (rate_probability, rate_summary).

    The midpoint rule in u, where a side of the limit is S(u) = u³(10 - 15u + 6u²) of its width: cells are small at 0, at
    the limit and at 1, where densities are steep, and the density in u and its slope vanish at both ends. Each part
    of the mixture is normalised on these cells. Logarithms, and exp() of -600 at least: Postgres raises an error below -745.
#}
with cells as materialized (
    select
        cell,
        cell > 96 as is_above,
        (2 * case when cell > 96 then cell - 96 else cell end - 1)::double precision / 192 as u
    from generate_series(1, 192) as cell
),

places as materialized (
    select
        cell,
        ln(case when is_above then 1 - rate_limit else rate_limit end * 30 * u * u * (1 - u) * (1 - u)) as log_width,
        ln(case
            when is_above then rate_limit + (1 - rate_limit) * u * u * u * (10 - 15 * u + 6 * u * u)
            else rate_limit * u * u * u * (10 - 15 * u + 6 * u * u)
        end) as log_rate,
        -- 1 - S(u) = S(1 - u)
        ln(case
            when is_above then (1 - rate_limit) * (1 - u) * (1 - u) * (1 - u) * (1 + 3 * u + 6 * u * u)
            else 1 - rate_limit * u * u * u * (10 - 15 * u + 6 * u * u)
        end) as log_complement
    from cells
),

densities as (
    select
        *,
        (prior_alpha - 1) * log_rate + (prior_beta - 1) * log_complement + log_width as log_narrow,
        (broad_alpha - 1) * log_rate + (broad_beta - 1) * log_complement + log_width as log_broad
    from places
),

parts as (
    select
        *,
        exp(greatest(-600, log_narrow - max(log_narrow) over ())) as narrow,
        exp(greatest(-600, log_broad - max(log_broad) over ())) as broad
    from densities
),

masses as (
    select
        *,
        ln(
            {{ 1 - var('broad_share') }} * narrow / sum(narrow) over (order by cell rows between unbounded preceding and unbounded following)
            + {{ var('broad_share') }} * broad / sum(broad) over (order by cell rows between unbounded preceding and unbounded following)
        ) as log_mass
    from parts
)

select
    array_agg(log_mass order by cell) as log_masses,
    array_agg(log_rate order by cell) as log_rates,
    array_agg(log_complement order by cell) as log_complements
from masses
