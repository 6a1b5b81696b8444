{#
    Beta(a, b) in three numbers: the probability above a threshold, and the 5% and 95% quantiles, which are interpolated
    within their cell.
#}
{% set _ = function('beta_masses') %}
with cumulated as (
    select
        is_above,
        width,
        x,
        mass,
        sum(mass) over (order by cell) as mass_so_far,
        sum(mass) over (order by cell rows between unbounded preceding and unbounded following) as total
    from intermediate.beta_masses(a, b, threshold)
)

select
    coalesce(sum(mass) filter (where is_above), 0) / sum(mass) as probability_above,
    {% for quantile in [0.05, 0.95] %}
        greatest(0, min(x + width * (0.5 - (mass_so_far - {{ quantile }} * total) / mass)) filter (
            where mass_so_far >= {{ quantile }} * total and mass_so_far - mass < {{ quantile }} * total
        )) as quantile_{{ '%02d' | format((quantile * 100) | int) }}{{ ',' if not loop.last }}
    {% endfor %}
from cumulated
