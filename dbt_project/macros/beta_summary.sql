{#
    A lateral subquery that summarises Beta(a, b): the probability above the risk threshold, and the 5% and 95%
    quantiles (Postgres has no beta distribution function). `grid` is int_beta_grid.

    The density is summed by the midpoint rule over two grids that meet at the threshold. They span only where
    the distribution is (6 standard deviations, and 10 / (a + b) more for skew), so that they stay fine for
    thousands of sessions. Where the density may be steep or infinite at 0 or 1, cells shrink cubically towards
    that end and the outermost cell's mass is taken in closed form. Work is done in logarithms,
    relative to the density at the mean. Quantiles are interpolated within their cell.
#}
{% macro beta_summary(grid, a, b) %}
    (
        with distribution as (
            select
                {{ a }} as a,
                {{ b }} as b,
                {{ a }} / ({{ a }} + {{ b }}) as mean,
                (6 * sqrt({{ a }} * {{ b }} / ({{ a }} + {{ b }} + 1)) + 10) / ({{ a }} + {{ b }}) as reach
        ),

        spans as materialized (
            select
                a,
                b,
                greatest(0, mean - reach) as low_gap,
                greatest(0, 1 - mean - reach) as high_gap,
                least(greatest({{ var('risk_threshold') }}, mean - reach), mean + reach) as split,
                (a - 1) * ln(mean) + (b - 1) * ln(1 - mean) as log_density_at_mean
            from distribution
        ),

        sides as (
            select
                spans.*,
                cells.*,
                case when cells.is_above then high_gap else low_gap end as gap,
                case when cells.is_above then high_gap = 0 and b < 2 else low_gap = 0 and a < 20 end as is_cubic,
                case when cells.is_above then 1 - split - high_gap else split - low_gap end as width
            from spans
            cross join {{ grid }} as cells
        ),

        nodes as materialized (
            select
                cell,
                is_above,
                a,
                b,
                log_density_at_mean,
                is_outermost and is_cubic as is_end,
                gap + width * case when is_cubic then cubic_distance else linear_distance end as from_end,
                width * case when is_cubic then cubic_width else linear_width end as width
            from sides
            where width > 0
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
        ),

        cumulated as (
            select
                is_above,
                width,
                x,
                mass,
                sum(mass) over (order by cell) as mass_so_far,
                sum(mass) over () as total
            from masses
        )

        select
            coalesce(sum(mass) filter (where is_above), 0) / sum(mass) as probability_above,
            {% for quantile in [0.05, 0.95] %}
                greatest(0, min(x + width * (0.5 - (mass_so_far - {{ quantile }} * total) / mass)) filter (
                    where mass_so_far >= {{ quantile }} * total and mass_so_far - mass < {{ quantile }} * total
                )) as quantile_{{ '%02d' | format((quantile * 100) | int) }}{{ ',' if not loop.last }}
            {% endfor %}
        from cumulated
    )
{% endmacro %}
