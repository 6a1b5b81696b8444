-- Limits and priors of each day: as closed days have kept them, and as the evidence that is known now gives them.

with moments as (
    select * from {{ ref('int_concern_moments') }}
),

kept as (
    select * from app.concern_priors
),

parameters as (
    select
        concern_day,
        false as is_kept,
        concern,
        prior_alpha,
        prior_beta,
        mean_rate,
        platform_rate,
        rating_mean,
        between_variance,
        within_variance
    from moments
    union all
    select
        concern_day,
        true as is_kept,
        concern,
        prior_alpha,
        prior_beta,
        mean_rate,
        platform_rate,
        rating_mean,
        between_variance,
        within_variance
    from kept
    where concern <> 'low_ratings' or rating_mean is not null -- no ratings on that day
),

limits as (
    select
        *,
        case concern
            {% for concern in var('rate_concerns') %}
                when '{{ concern.name }}' then {{ var(concern.limit) }}::double precision
            {% endfor %}
            when 'loses_new_students' then platform_rate + {{ var('first_meeting_margin') }}
            when 'low_ratings' then rating_mean - {{ var('rating_margin') }}
        end as rate_limit
    from parameters
),

-- No parameter is below 1, so that no density has a pole. The broad part keeps one bad tutor among many alike from
-- being shrunk away; that of ratings is the same on all days.
broad_parts as (
    select
        *,
        case when mean_rate is not null then least(rate_limit, {{ var('greatest_limit') }}) end as possible_limit,
        case
            when mean_rate is not null
                then least(0.5, greatest(least(rate_limit, {{ var('greatest_limit') }}), 2 * mean_rate))
        end as broad_mean
    from limits
),

final as (
    select
        concern_day,
        is_kept,
        concern,
        rate_limit,
        possible_limit,
        prior_alpha,
        prior_beta,
        case when broad_mean is not null then greatest(4, 1 / broad_mean) * broad_mean end as broad_alpha,
        case when broad_mean is not null then greatest(4, 1 / broad_mean) * (1 - broad_mean) end as broad_beta,
        rating_mean,
        between_variance,
        within_variance
    from broad_parts
)

select * from final
