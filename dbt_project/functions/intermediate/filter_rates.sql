{#
    The 22 rates of the change filter and the edges of their cells. For another limit than 0.15 the odds of the rates are
    multiplied by odds(limit) / odds(0.15). Edges are midpoints; that between the 10th and 11th rate is the limit.
#}
with rates as (
    select
        cell::integer as cell,
        odds / (1 + odds) as rate
    from unnest(array{{ var('filter_rates') }}::double precision[]) with ordinality as given (rate, cell)
    cross join lateral (
        select given.rate / (1 - given.rate) * rate_limit / (1 - rate_limit) * 0.85 / 0.15 as odds
    ) as scaled
)

select
    cell,
    rate,
    case when cell = 11 then rate_limit else coalesce((lag(rate) over (order by cell) + rate) / 2, 0) end as low_edge,
    case when cell = 10 then rate_limit else coalesce((lead(rate) over (order by cell) + rate) / 2, 1) end as high_edge
from rates
