{{ config(tags=['nightly']) }}

-- Only sums, so that cells can be put together in any way. Those of fractions are made in numeric, so that the order of
-- rows cannot change a digit.

with outcomes as (
    select * from {{ ref('int_forecast_outcomes') }}
),

judged as (
    select
        *,
        coalesce(sessions > 0, false) as has_come,
        sessions >= {{ var('judged_sessions') }} as is_judged,
        let_downs::double precision / nullif(sessions, 0) > rate_limit as is_above
    from outcomes
),

final as (
    select
        date_trunc('month', forecast_on::timestamp)::date as forecast_month,
        coalesce(subject, '') as subject,
        case
            {% for least in var('volume_bands') | reverse %}
                when sessions_90d >= {{ least }} then {{ least }}
            {% endfor %}
            else 0
        end as volume_from,
        least(9, floor(probability * 10))::integer as probability_band,
        count(*) filter (where has_come) as forecasts,
        count(*) filter (where has_come and is_noted_later) as noted_later,
        coalesce(sum(sessions) filter (where has_come), 0)::bigint as sessions,
        coalesce(sum(let_downs) filter (where has_come), 0)::bigint as let_downs,
        coalesce(sum(expected::numeric) filter (where has_come), 0)::double precision as let_downs_expected,
        count(*) filter (where has_come and let_downs between low and high) as covered,
        coalesce(sum(inside::numeric) filter (where has_come), 0)::double precision as covered_expected,
        count(*) filter (where is_judged) as judged,
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
    from judged
    group by forecast_month, coalesce(subject, ''), volume_from, probability_band
)

select * from final
where forecasts > 0 or rises > 0
