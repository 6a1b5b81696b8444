-- With a tutor's id and a day it reads this tutor's rows by index.

with counts as (
    select * from {{ ref('int_concern_counts') }}
),

priors as (
    select * from {{ ref('int_concern_priors') }}
),

filter_states as (
    select * from {{ ref('int_filter_states') }}
),

parameters as (
    select * from {{ ref('int_filter_parameters') }}
),

posteriors as (
    select
        counts.concern_day,
        counts.is_as_of,
        counts.tutor_id,
        counts.concern,
        case
            when counts.concern = 'low_ratings'
                then (
                    select
                        {{ function('rating_cdf') }}(
                            posterior.narrow_share,
                            posterior.narrow_mean,
                            posterior.narrow_deviation,
                            posterior.broad_mean,
                            posterior.broad_deviation,
                            priors.rate_limit
                        )
                    from {{ function('rating_posterior') }}(
                            counts.evidence_trials,
                            counts.evidence_events / counts.evidence_trials,
                            priors.rating_mean,
                            priors.between_variance,
                            priors.within_variance
                        ) as posterior
                )
            when priors.rate_limit <= {{ var('greatest_limit') }}
                then (
                    select rate.probability
                    from {{ function('rate_probability') }}(
                            priors.log_masses,
                            priors.log_rates,
                            priors.log_complements,
                            counts.evidence_trials,
                            counts.evidence_events
                        ) as rate
                )
            else 0
        end as probability,
        counts.has_needs
    from counts
    inner join priors
        on
            counts.concern_day = priors.concern_day
            and counts.concern = priors.concern
),

final as (
    select * from posteriors
    union all
    select
        states.concern_day,
        states.is_as_of,
        states.tutor_id,
        'getting_worse' as concern,
        case
            when parameters.rate_limit <= {{ var('greatest_limit') }} then states.probability
            else 0
        end as probability,
        null as has_needs
    from filter_states as states
    cross join parameters
)

select * from final
