with platform as (
    select * from {{ ref('int_platform') }}
    where is_as_of
),

final as (
    select
        as_of,
        reschedule_units as tutors,
        reschedule_trials as sessions_90d,
        reschedule_successes as tutor_reschedules_90d,
        reschedule_rate as reschedule_rate_90d,
        reschedule_prior_alpha,
        reschedule_prior_beta,
        no_show_rate as tutor_no_show_rate_90d,
        no_show_prior_alpha,
        no_show_prior_beta,
        first_session_rate,
        first_session_prior_alpha,
        first_session_prior_beta,
        platform_rating_mean as rating_mean_90d
    from platform
)

select * from final
