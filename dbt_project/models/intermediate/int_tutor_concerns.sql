-- The definition of tutor_concerns: with a tutor's id it reads this tutor's rows, by index. Live writers
-- (refresh_sessions) use it so.

with today as (
    select * from {{ ref('int_concern_probabilities') }}
    where is_as_of
),

priors as (
    select * from {{ ref('int_concern_priors') }}
    where not is_closed
),

-- Not materialized: of one tutor, few rows are looked up.
days as not materialized (
    select * from {{ ref('int_concern_days') }}
),

past as (
    select
        tutor_id,
        concern,
        max(concern_day) filter (where probability >= {{ var('high_risk_probability') }}) as last_high,
        max(concern_day) filter (where probability < {{ var('watch_probability') }}) as last_low
    from days
    group by tutor_id, concern
),

statuses as (
    select
        today.*,
        case
            when not today.has_needs then 'insufficient_data'
            when
                today.probability >= {{ var('high_risk_probability') }}
                or (
                    today.probability >= {{ var('watch_probability') }}
                    and past.last_high > coalesce(past.last_low, '-infinity')
                )
                then 'raised'
            when today.probability >= {{ var('watch_probability') }} then 'watch'
            else 'ok'
        end as status,
        case
            when today.probability >= {{ var('high_risk_probability') }} then today.concern_day
            else past.last_high
        end as last_high,
        past.last_low
    from today
    left join past on today.tutor_id = past.tutor_id and today.concern = past.concern
),

final as (
    select
        statuses.tutor_id || ' ' || statuses.concern as concern_key,
        statuses.tutor_id,
        statuses.concern,
        statuses.concern_day as as_of,
        statuses.status,
        statuses.probability,
        statuses.rate_limit as threshold,
        statuses.trials::bigint as trials,
        statuses.events::bigint as events,
        posterior.expected,
        posterior.low,
        posterior.high,
        case
            when statuses.status = 'raised'
                then coalesce(
                        (
                            select min(days.concern_day)
                            from days
                            where
                                days.tutor_id = statuses.tutor_id
                                and days.concern = statuses.concern
                                and days.probability >= {{ var('high_risk_probability') }}
                                and days.concern_day > coalesce(statuses.last_low, '-infinity')
                        ),
                        statuses.concern_day
                    )
        end as raised_on,
        case when statuses.status = 'raised' then statuses.last_high end as last_high_on
    from statuses
    inner join priors on statuses.concern = priors.concern
    cross join lateral (
        select
            rate.expected,
            rate.low,
            rate.high
        from {{ function('rate_summary') }}(
                priors.log_masses,
                priors.log_rates,
                priors.log_complements,
                priors.rate_limit,
                statuses.evidence_trials,
                statuses.evidence_events
            ) as rate
        where statuses.concern <> 'low_ratings'
        union all
        select
            narrow_share * narrow_mean + (1 - narrow_share) * broad_mean as expected,
            {{ function('rating_quantile') }}(
                narrow_share, narrow_mean, narrow_deviation, broad_mean, broad_deviation, 0.05
            ) as low,
            {{ function('rating_quantile') }}(
                narrow_share, narrow_mean, narrow_deviation, broad_mean, broad_deviation, 0.95
            ) as high
        from {{ function('rating_posterior') }}(
                statuses.evidence_trials,
                statuses.evidence_events / statuses.evidence_trials,
                priors.rating_mean,
                priors.between_variance,
                priors.within_variance
            )
        where statuses.concern = 'low_ratings'
    ) as posterior
)

select * from final
