-- Quantiles are rates of the filter: the first at which the weights up to it reach their share.
with weighted as (
    select
        exp(log_rate) as rate,
        weight,
        sum(weight) over (order by cell) as cumulated,
        sum(weight) over () as total
    from unnest(weights, log_rates) with ordinality as cells (weight, log_rate, cell)
)

select
    sum(weight * rate) / max(total) as expected,
    min(rate) filter (where cumulated >= 0.05 * total) as low,
    min(rate) filter (where cumulated >= 0.95 * total) as high
from weighted
