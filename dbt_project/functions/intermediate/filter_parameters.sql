{#
    What the change filter starts from: the prior's mass in the cell of each rate, and the logarithms of the rates. A jump
    leads to half the start and half Beta(1, 5).
#}
{% set _ = [function('filter_rates'), function('beta_cdf')] %}
with cells as (
    select
        cell,
        rate,
        {{ 1 - var('broad_share') }} * (
            intermediate.beta_cdf(prior_alpha, prior_beta, high_edge) - intermediate.beta_cdf(prior_alpha, prior_beta, low_edge)
        ) + {{ var('broad_share') }} * (
            intermediate.beta_cdf(broad_alpha, broad_beta, high_edge) - intermediate.beta_cdf(broad_alpha, broad_beta, low_edge)
        ) as mass,
        (power(1 - low_edge, 5) - power(1 - high_edge, 5)) / 2 as half_a_jump
    from intermediate.filter_rates(rate_limit)
)

select
    array_agg(greatest(mass, 1e-100) order by cell) as start,
    array_agg(mass / 2 + half_a_jump order by cell) as after_a_jump,
    array_agg(ln(rate) order by cell) as log_rates,
    array_agg(ln(1 - rate) order by cell) as log_complements
from cells
