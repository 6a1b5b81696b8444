with platform as (
    select * from {{ ref('int_platform') }}
    where is_as_of
),

final as (
    select
        as_of,
        let_down_units as tutors,
        let_down_trials as sessions_90d,
        let_down_successes as let_downs_90d,
        let_down_rate as let_down_rate_90d,
        let_down_prior_alpha,
        let_down_prior_beta,
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
