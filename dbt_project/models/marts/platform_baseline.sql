{{ config(meta={'reuses': ['int_rate_priors', 'int_rating_means']}) }}

-- What tutor_scores has stored of these models, so that the numbers are those that its scores were made from.
-- depends_on: {{ ref('tutor_scores') }}

with as_of as (
    select * from {{ ref('int_as_of') }}
),

priors as (
    select * from {{ ref('int_rate_priors') }}
),

rating_means as (
    select * from {{ ref('int_rating_means') }}
),

final as (
    select
        as_of.as_of,
        reschedule.units as tutors,
        reschedule.trials as sessions_90d,
        reschedule.successes as tutor_reschedules_90d,
        reschedule.rate as reschedule_rate_90d,
        reschedule.prior_alpha as reschedule_prior_alpha,
        reschedule.prior_beta as reschedule_prior_beta,
        no_show.rate as tutor_no_show_rate_90d,
        no_show.prior_alpha as no_show_prior_alpha,
        no_show.prior_beta as no_show_prior_beta,
        first_session.rate as first_session_rate,
        first_session.prior_alpha as first_session_prior_alpha,
        first_session.prior_beta as first_session_prior_beta,
        rating_means.platform_rating_mean as rating_mean_90d
    from as_of
    inner join priors as reschedule on as_of.as_of = reschedule.as_of and reschedule.rate_name = 'reschedule'
    inner join priors as no_show on as_of.as_of = no_show.as_of and no_show.rate_name = 'no_show'
    inner join priors as first_session
        on as_of.as_of = first_session.as_of and first_session.rate_name = 'first_session'
    left join rating_means on as_of.as_of = rating_means.as_of
)

select * from final
