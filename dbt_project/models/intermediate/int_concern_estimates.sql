-- With a tutor's id and a day (or is_as_of) it reads this tutor's rows by index. The probability is, to the last bit,
-- that of int_concern_probabilities, which costs less.

with counts as (
    select * from {{ ref('int_concern_counts') }}
),

priors as (
    select * from {{ ref('int_concern_priors') }}
),

filter_states as (
    select * from {{ ref('int_filter_states') }}
),

filter_parameters as (
    select * from {{ ref('int_filter_parameters') }}
),

final as (
    select
        counts.concern_day,
        counts.is_as_of,
        counts.tutor_id,
        counts.concern,
        counts.trials,
        counts.events,
        counts.raw_rate,
        counts.has_needs and (counts.concern = 'low_ratings' or limits.rate_limit <= {{ var('greatest_limit') }})
            as has_needs,
        limits.rate_limit,
        posterior.*
    from counts
    cross join filter_parameters
    -- By index: a hash of all priors, which are 4 kB each, took a sixth of the time of one tutor.
    left join
        lateral (
            select priors.*
            from priors
            where priors.concern_day = counts.concern_day and priors.concern = counts.concern
            offset 0 -- noqa: AM09
        ) as priors
        on true
    cross join lateral (select coalesce(priors.rate_limit, filter_parameters.rate_limit) as rate_limit) as limits
    cross join lateral (
        select
            case when limits.rate_limit <= {{ var('greatest_limit') }} then rate.probability else 0 end as probability,
            rate.expected,
            rate.low,
            rate.high
        from {{ function('rate_summary') }}(
                priors.log_masses,
                priors.log_rates,
                priors.log_complements,
                least(limits.rate_limit, {{ var('greatest_limit') }}),
                counts.evidence_trials,
                counts.evidence_events
            ) as rate
        where counts.concern not in ('getting_worse', 'low_ratings')
        union all
        select
            case when limits.rate_limit <= {{ var('greatest_limit') }} then states.probability else 0 end
                as probability,
            rate.expected,
            rate.low,
            rate.high
        from filter_states as states
        cross join lateral {{ function('filter_summary') }}(states.state, filter_parameters.log_rates) as rate
        where
            counts.concern = 'getting_worse'
            and states.tutor_id = counts.tutor_id
            and states.concern_day = counts.concern_day
        union all
        select
            {{ function('rating_cdf') }}(
                narrow_share, narrow_mean, narrow_deviation, broad_mean, broad_deviation, priors.rate_limit
            ) as probability,
            narrow_share * narrow_mean + (1 - narrow_share) * broad_mean as expected,
            {{ function('rating_quantile') }}(
                narrow_share, narrow_mean, narrow_deviation, broad_mean, broad_deviation, 0.05
            ) as low,
            {{ function('rating_quantile') }}(
                narrow_share, narrow_mean, narrow_deviation, broad_mean, broad_deviation, 0.95
            ) as high
        from {{ function('rating_posterior') }}(
                counts.evidence_trials,
                counts.evidence_events / counts.evidence_trials,
                priors.rating_mean,
                priors.between_variance,
                priors.within_variance
            )
        where counts.concern = 'low_ratings'
    ) as posterior
)

select * from final
