with windows as (
    select * from {{ ref('int_tutor_windows') }}
),

priors as (
    select * from {{ ref('int_rate_priors') }}
    where rate_name = 'reschedule'
),

grid as materialized (
    select * from {{ ref('int_beta_grid') }}
),

posteriors as materialized (
    select
        windows.as_of,
        windows.tutor_id,
        windows.sessions_90d,
        windows.tutor_reschedules_90d + priors.prior_alpha as a,
        windows.sessions_90d - windows.tutor_reschedules_90d + priors.prior_beta as b
    from windows
    inner join priors on windows.as_of = priors.as_of
),

-- Tutors with as many sessions and reschedules share a distribution; each is summed once.
shapes as (
    select distinct
        a,
        b
    from posteriors
),

-- Materialized, so that no join sums a density again.
shape_summaries as materialized (
    select
        shapes.a,
        shapes.b,
        beta.quantile_05,
        beta.quantile_95,
        beta.probability_above
    from shapes
    cross join lateral {{ beta_summary('grid', 'shapes.a', 'shapes.b') }} as beta
),

summaries as (
    select
        posteriors.as_of,
        posteriors.tutor_id,
        posteriors.a,
        posteriors.b,
        posteriors.a / (posteriors.a + posteriors.b) as reschedule_rate_expected,
        beta.quantile_05 as reschedule_rate_low,
        beta.quantile_95 as reschedule_rate_high,
        beta.probability_above as risk_probability,
        case
            when posteriors.sessions_90d < {{ var('min_sessions') }} then 'insufficient_data'
            when beta.probability_above >= {{ var('high_risk_probability') }} then 'high_risk'
            when beta.probability_above >= {{ var('watch_probability') }} then 'watch'
            else 'ok'
        end as risk_status
    from posteriors
    inner join shape_summaries as beta on posteriors.a = beta.a and posteriors.b = beta.b
),

final as (
    select
        *,
        risk_status = 'high_risk' as is_high_risk,
        risk_status in ('watch', 'high_risk') as is_flagged
    from summaries
)

select * from final
