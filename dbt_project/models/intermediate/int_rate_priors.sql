-- Empirical-Bayes beta priors by the method of moments: the intraclass correlation rho of the beta-binomial
-- is estimated by analysis of variance (Kleinman 1973, JASA 68, 46-54), and 1/rho - 1 is the prior's weight
-- in sessions. Sums are made in numeric, so that the order of rows cannot change a digit.

with scoring_days as (
    select * from {{ ref('int_scoring_days') }}
),

windows as (
    select * from {{ ref('int_tutor_windows') }}
),

first_meetings as (
    select * from {{ ref('int_tutor_first_meetings') }}
),

fallbacks as (
    select
        rate_name,
        fallback_alpha::double precision as fallback_alpha,
        fallback_beta::double precision as fallback_beta
    from (
        values
        ('let_down', {{ var('let_down_fallback_prior') | join(', ') }}),
        ('no_show', {{ var('no_show_fallback_prior') | join(', ') }}),
        ('first_session', {{ var('first_session_fallback_prior') | join(', ') }})
    ) as fallback (rate_name, fallback_alpha, fallback_beta)
),

units as (
    select
        as_of,
        'let_down' as rate_name,
        let_downs_90d as successes,
        sessions_90d as trials
    from windows
    union all
    select
        as_of,
        'no_show' as rate_name,
        tutor_no_shows_90d as successes,
        sessions_90d as trials
    from windows
    union all
    select
        as_of,
        'first_session' as rate_name,
        first_meetings_continued as successes,
        first_meetings as trials
    from first_meetings
),

moments as (
    select
        as_of,
        rate_name,
        count(*) as units,
        sum(successes)::bigint as successes,
        sum(trials)::bigint as trials,
        sum(successes)::double precision / sum(trials)::double precision as rate,
        -- S = sum of n (k/n - m)^2, written so that no rounded mean enters it
        (sum(successes::numeric * successes / trials) - sum(successes) * sum(successes) / sum(trials))
        ::double precision as spread,
        (sum(trials) - sum(trials::numeric * trials) / sum(trials) - (count(*) - 1))::double precision as spare_trials
    from units
    where trials > 0
    group by as_of, rate_name
),

estimates as (
    select
        *,
        case
            when rate > 0 and rate < 1 and units >= 2 and spare_trials > 0
                then (spread - rate * (1 - rate) * (units - 1)) / (rate * (1 - rate) * spare_trials)
        end as raw_rho
    from moments
),

correlations as (
    select
        *,
        case when raw_rho is not null then least(0.5, greatest(0.005, raw_rho)) end as rho
    from estimates
),

final as (
    select
        scoring_days.as_of,
        fallbacks.rate_name,
        coalesce(correlations.units, 0) as units,
        coalesce(correlations.successes, 0) as successes,
        coalesce(correlations.trials, 0) as trials,
        correlations.rate,
        coalesce(correlations.rate * (1 / correlations.rho - 1), fallbacks.fallback_alpha) as prior_alpha,
        coalesce((1 - correlations.rate) * (1 / correlations.rho - 1), fallbacks.fallback_beta) as prior_beta
    from scoring_days
    cross join fallbacks
    left join correlations
        on scoring_days.as_of = correlations.as_of and fallbacks.rate_name = correlations.rate_name
)

select * from final
