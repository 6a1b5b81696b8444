{#
    200 cells that cover (0, 1) outwards-in: cells 1 to 100 from the low end up to the risk threshold, cells 101
    to 200 from there to the high end. `distance` is the cell's midpoint measured from its end, as a share of
    the way to the threshold; the cubic spacing crowds cells at the end, for densities that are infinite there.

    A macro, so that unit tests of what reads int_beta_grid have the same grid.
#}
{% macro beta_grid() %}
    with cells as (
        select
            cell,
            cell > 100 as is_above,
            (case when cell <= 100 then cell - 0.5 else 200.5 - cell end / 100)::double precision as u
        from generate_series(1, 200) as cell
    ),

    final as (
        select
            cell,
            is_above,
            cell in (1, 200) as is_outermost,
            u as linear_distance,
            0.01::double precision as linear_width,
            u * u * u as cubic_distance,
            0.03 * u * u as cubic_width
        from cells
    )

    select * from final
{% endmacro %}
