{#
    The mass of Beta(a, b) in cells: up to 100 from the low end to a threshold, up to 100 from there to the high end (Postgres
    has no beta distribution function). One row per cell that has a width.

    The density is summed by the midpoint rule. The two grids span only where the distribution is (6 standard deviations,
    and 10 / (a + b) more for skew), so that they stay fine for thousands of sessions. Where the density may be steep or
    infinite at 0 or 1, cells shrink cubically towards that end and the outermost cell's mass is taken in closed form.
    Work is done in logarithms, relative to the density at the mean.

    Written so that Postgres can put it in the place of its call, in a lateral join.
#}
with distribution as (
    select
        a,
        b,
        a / (a + b) as mean,
        (6 * sqrt(a * b / (a + b + 1)) + 10) / (a + b) as reach
),

spans as materialized (
    select
        a,
        b,
        greatest(0, mean - reach) as low_gap,
        greatest(0, 1 - mean - reach) as high_gap,
        least(greatest(threshold, mean - reach), mean + reach) as split,
        (a - 1) * ln(mean) + (b - 1) * ln(1 - mean) as log_density_at_mean
    from distribution
),

-- Cells 1 to 100 lead from the low end up to the threshold, cells 101 to 200 from there to the high end; `u` is the
-- cell's midpoint measured from its end, as a share of the way to the threshold.
cells as (
    select
        cell,
        cell > 100 as is_above,
        cell in (1, 200) as is_outermost,
        (case when cell <= 100 then cell - 0.5 else 200.5 - cell end / 100)::double precision as u
    from generate_series(1, 200) as cell
),

sides as (
    select
        spans.*,
        cells.*,
        case when cells.is_above then high_gap else low_gap end as gap,
        case when cells.is_above then high_gap = 0 and b < 2 else low_gap = 0 and a < 20 end as is_cubic,
        case when cells.is_above then 1 - split - high_gap else split - low_gap end as side
    from spans
    cross join cells
),

nodes as materialized (
    select
        cell,
        is_above,
        a,
        b,
        log_density_at_mean,
        is_outermost and is_cubic as is_end,
        gap + side * case when is_cubic then u * u * u else u end as from_end,
        side * case when is_cubic then 0.03 * u * u else 0.01 end as width
    from sides
    where side > 0
),

masses as materialized (
    select
        cell,
        is_above,
        width,
        case when is_above then 1 - from_end else from_end end as x,
        exp(greatest(-700, case
            -- from_end is the cell's midpoint in u, so the whole cell is 2^3 times as wide
            when is_end and is_above then b * ln(8 * from_end) - ln(b) + (a - 1) * ln(1 - from_end)
            when is_end then a * ln(8 * from_end) - ln(a) + (b - 1) * ln(1 - from_end)
            when is_above then (a - 1) * ln(1 - from_end) + (b - 1) * ln(from_end) + ln(width)
            else (a - 1) * ln(from_end) + (b - 1) * ln(1 - from_end) + ln(width)
        end - log_density_at_mean)) as mass
    from nodes
)

select cell, is_above, width, x, mass from masses
