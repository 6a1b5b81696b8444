with windows as (
    select * from {{ ref('int_tutor_windows') }}
),

platform as (
    select * from {{ ref('int_platform') }}
),

posteriors as (
    select
        windows.*,
        windows.let_downs_90d + platform.let_down_prior_alpha as a,
        windows.sessions_90d - windows.let_downs_90d + platform.let_down_prior_beta as b
    from windows
    inner join platform on windows.as_of = platform.as_of
),

summaries as (
    select
        posteriors.*,
        posteriors.a / (posteriors.a + posteriors.b) as let_down_rate_expected,
        beta.quantile_05 as let_down_rate_low,
        beta.quantile_95 as let_down_rate_high,
        beta.probability_above as risk_probability,
        case
            when posteriors.sessions_90d < {{ var('min_sessions') }} then 'insufficient_data'
            when beta.probability_above >= {{ var('high_risk_probability') }} then 'high_risk'
            when beta.probability_above >= {{ var('watch_probability') }} then 'watch'
            else 'ok'
        end as risk_status
    from posteriors
    cross join lateral {{ function('beta_summary') }}(posteriors.a, posteriors.b, {{ var('risk_threshold') }}) as beta
),

final as (
    select
        *,
        risk_status = 'high_risk' as is_high_risk,
        risk_status in ('watch', 'high_risk') as is_flagged
    from summaries
)

select * from final -- noqa: AM04
