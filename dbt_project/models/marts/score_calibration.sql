{{ config(tags=['nightly']) }}

-- Only sums, so that cells can be put together in any way. Those of fractions are made in numeric, so that the order of
-- rows cannot change a digit.

with outcomes as (
    select * from {{ ref('int_forecast_outcomes') }}
),

judged as (
    select
        *,
        date_trunc('month', forecast_on::timestamp)::date as forecast_month,
        coalesce(subject, '') as main_subject,
        case
            {% for least in var('volume_bands') | reverse %}
                when sessions_90d >= {{ least }} then {{ least }}
            {% endfor %}
            else 0
        end as volume_from,
        -- Of the event that is judged: a rate of 30 days above the limit. The probability that the true rate is
        -- above it is another number: chance adds to a month.
        least(9, floor(coalesce(above, 0) * 10))::integer as probability_band,
        coalesce(sessions > 0, false) as has_come,
        coalesce(sessions >= {{ var('judged_sessions') }}, false) as is_judged,
        let_downs::double precision / nullif(sessions, 0) > rate_limit as is_above
    from outcomes
),

-- Weekly forecasts of one tutor share most of their 30 days.
beside_others as (
    select
        *,
        count(*) over (
            partition by forecast_month, main_subject, volume_from, probability_band, is_judged, tutor_id
        ) as of_tutor
    from judged
),

final as (
    select
        forecast_month,
        main_subject as subject,
        volume_from,
        probability_band,
        count(*) filter (where has_come) as forecasts,
        count(*) filter (where has_come and is_noted_later) as noted_later,
        coalesce(sum(sessions) filter (where has_come), 0)::bigint as sessions,
        coalesce(sum(let_downs) filter (where has_come), 0)::bigint as let_downs,
        coalesce(sum(expected::numeric) filter (where has_come), 0)::double precision as let_downs_expected,
        count(*) filter (where has_come and let_downs between low and high) as covered,
        coalesce(sum(inside::numeric) filter (where has_come), 0)::double precision as covered_expected,
        count(*) filter (where is_judged) as judged,
        coalesce(sum(of_tutor) filter (where is_judged), 0)::bigint as judged_squares,
        coalesce(sum(probability::numeric) filter (where is_judged), 0)::double precision as probability_sum,
        coalesce(sum(above::numeric) filter (where is_judged), 0)::double precision as above_expected,
        count(*) filter (where is_judged and is_above) as above,
        count(*) filter (where is_judged and is_raised) as raised,
        coalesce(sum(above::numeric) filter (where is_judged and is_raised), 0)::double precision
            as raised_above_expected,
        count(*) filter (where is_judged and is_raised and is_above) as raised_above,
        count(above_limit_on) as rises,
        count(flagged_on) as rises_flagged,
        coalesce(sum(flagged_on - above_limit_on), 0)::bigint as flagged_after_days
    from beside_others
    group by forecast_month, main_subject, volume_from, probability_band
)

select * from final
where forecasts > 0 or rises > 0
