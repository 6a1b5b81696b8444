-- What was said of each tutor's let-downs on each day. The table is filled by int_forecast_outcomes.

select
    forecasts.tutor_id,
    forecasts.forecast_on,
    forecasts.sessions_90d,
    forecasts.has_needs,
    forecasts.trials,
    forecasts.events,
    forecasts.probability,
    forecasts.probability_now,
    forecasts.is_raised,
    common.rate_limit,
    common.noted_as_of,
    common.prior_alpha,
    common.prior_beta,
    common.broad_alpha,
    common.broad_beta
from app.forecasts as forecasts
inner join app.forecast_days as common on forecasts.forecast_on = common.forecast_on
