-- Forecasts of Mondays: those of one week differ little, and seven times as many would say no more.

with scoring_days as (
    select * from {{ ref('int_scoring_days') }}
    where is_as_of
),

forecasts as (
    select * from {{ ref('int_forecasts') }}
),

final as (
    select forecasts.*
    from forecasts
    cross join scoring_days
    where
        forecasts.has_needs
        and extract(isodow from forecasts.forecast_on) = 1
        and forecasts.forecast_on < scoring_days.as_of - {{ var('forecast_days') }}
        and forecasts.forecast_on >= scoring_days.as_of - {{ var('calibration_days') + var('forecast_days') }}
)

select * from final -- noqa: AM04
