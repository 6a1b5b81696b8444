{{
    config(
        materialized='incremental',
        tags=['nightly'],
        queue={
            'from': 'intermediate.forecasts_to_judge',
            'key': {'tutor_id': 'tutor_id', 'forecast_on': 'forecast_on'},
        },
        pre_hook=["select intermediate.keep_forecasts()", "select intermediate.touch_forecasts()"],
        indexes=[{'columns': ['tutor_id', 'forecast_on'], 'unique': true}],
    )
}}

-- depends_on: {{ ref('int_concern_days') }}, {{ ref('int_concern_counts') }}, {{ ref('int_concern_parameters') }}
-- depends_on: {{ ref('int_filter_parameters') }}, {{ function('keep_forecasts') }}, {{ function('touch_forecasts') }}

with forecasts as (
    select * from {{ ref('int_forecasts') }}
),

-- Not materialized: each tutor's days are looked up by index.
tutor_days as not materialized (
    select * from {{ ref('int_tutor_days') }}
),

sessions as (
    select * from {{ ref('int_session_facts') }}
    where is_final
),

of_mondays as (
    select * from {{ ref('int_forecasts_due') }}
),

final as (
    select
        of_mondays.tutor_id,
        of_mondays.forecast_on,
        of_mondays.sessions_90d,
        taught.subject,
        of_mondays.probability,
        of_mondays.is_raised,
        of_mondays.noted_as_of > of_mondays.forecast_on + 7 as is_noted_later,
        of_mondays.rate_limit,
        came.sessions,
        came.let_downs,
        forecast.expected,
        forecast.low,
        forecast.high,
        forecast.inside,
        forecast.above,
        onset.above_limit_on,
        flagged.flagged_on
    from of_mondays
    cross join
        lateral (
            select
                coalesce(sum(tutor_days.sessions), 0)::integer as sessions,
                coalesce(sum(tutor_days.let_downs), 0)::integer as let_downs
            from tutor_days
            where
                tutor_days.tutor_id = of_mondays.tutor_id
                and tutor_days.counted_on > of_mondays.forecast_on
                and tutor_days.counted_on <= of_mondays.forecast_on + {{ var('forecast_days') }}
        ) as came
    cross join
        lateral {{ function('rate_posterior') }}(
            of_mondays.prior_alpha,
            of_mondays.prior_beta,
            of_mondays.broad_alpha,
            of_mondays.broad_beta,
            of_mondays.trials,
            of_mondays.events
        ) as posterior
    left join
        lateral {{ function('let_down_forecast') }}(
            posterior.narrow_share,
            posterior.narrow_a,
            posterior.narrow_b,
            posterior.broad_a,
            posterior.broad_b,
            of_mondays.rate_limit,
            came.sessions
        ) as forecast
        on true
    -- What the tutor taught most in the 90 days before.
    left join
        lateral (
            select sessions.subject
            from sessions
            where
                sessions.tutor_id = of_mondays.tutor_id
                and sessions.counted_on > of_mondays.forecast_on - 90
                and sessions.counted_on <= of_mondays.forecast_on
            group by sessions.subject
            order by count(*) desc, sessions.subject asc
            limit 1
        ) as taught
        on true
    -- In the week up to the Monday, the day on which the rate of 30 days got above the limit, where it had not been
    -- for so long.
    left join
        lateral (
            select min(recent.on_day) as above_limit_on
            from (
                select
                    rates.on_day,
                    rates.is_above,
                    coalesce(bool_or(rates.is_above) over days_before, false) as was_above
                from (
                    select
                        calendar.on_day,
                        sum(tutor_days.sessions) over up_to_day >= {{ var('judged_sessions') }}
                        and sum(tutor_days.let_downs) over up_to_day
                        > of_mondays.rate_limit * sum(tutor_days.sessions) over up_to_day as is_above
                    from (
                        select of_mondays.forecast_on - age as on_day
                        from generate_series(0, {{ 2 * var('forecast_days') + 5 }}) as age
                    ) as calendar
                    left join tutor_days
                        on
                            tutor_days.tutor_id = of_mondays.tutor_id
                            and tutor_days.counted_on = calendar.on_day
                    window
                        up_to_day as (
                            order by calendar.on_day
                            rows between {{ var('forecast_days') - 1 }} preceding and current row
                        )
                ) as rates
                where rates.on_day > of_mondays.forecast_on - {{ var('forecast_days') + 7 }}
                window
                    days_before as (
                        order by rates.on_day
                        rows between {{ var('forecast_days') }} preceding and 1 preceding
                    )
            ) as recent
            where recent.is_above and not recent.was_above and recent.on_day > of_mondays.forecast_on - 7
        ) as onset
        on true
    left join
        lateral (
            select min(forecasts.forecast_on) as flagged_on
            from forecasts
            where
                forecasts.tutor_id = of_mondays.tutor_id
                and forecasts.forecast_on >= onset.above_limit_on
                and forecasts.forecast_on <= onset.above_limit_on + {{ var('forecast_days') }}
                and forecasts.is_raised
        ) as flagged
        on onset.above_limit_on is not null
)

select * from final
