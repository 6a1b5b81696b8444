-- Limits and priors of each day: as closed days have kept them, and as the evidence that is known now gives them.

with moments as (
    select * from {{ ref('int_concern_moments') }}
),

rating_moments as (
    select * from {{ ref('int_rating_moments') }}
),

kept as (
    select * from app.concern_priors
),

rates as (
    select
        concern_day,
        false as is_kept,
        concern,
        prior_alpha,
        prior_beta,
        mean_rate,
        platform_rate
    from moments
    union all
    select
        concern_day,
        true as is_kept,
        concern,
        prior_alpha,
        prior_beta,
        mean_rate,
        platform_rate
    from kept
    where concern <> 'low_ratings'
),

ratings as (
    select
        concern_day,
        false as is_kept,
        'low_ratings' as concern,
        prior_mean as rating_mean,
        between_variance,
        within_variance
    from rating_moments
    union all
    select
        concern_day,
        true as is_kept,
        concern,
        rating_mean,
        between_variance,
        within_variance
    from kept
    where rating_mean is not null
),

limits as (
    select
        *,
        case concern
            {% for concern in var('rate_concerns') %}
                when '{{ concern.name }}' then {{ var(concern.limit) }}::double precision
            {% endfor %}
            when 'loses_new_students' then platform_rate + {{ var('first_meeting_margin') }}
        end as rate_limit
    from rates
),

-- No parameter is below 1, so that no density has a pole. The broad part keeps one bad tutor among many alike from
-- being shrunk away.
broad_parts as (
    select
        *,
        least(rate_limit, {{ var('greatest_limit') }}) as possible_limit,
        least(0.5, greatest(least(rate_limit, {{ var('greatest_limit') }}), 2 * mean_rate)) as broad_mean
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
        greatest(4, 1 / broad_mean) * broad_mean as broad_alpha,
        greatest(4, 1 / broad_mean) * (1 - broad_mean) as broad_beta,
        null::double precision as rating_mean,
        null::double precision as between_variance,
        null::double precision as within_variance
    from broad_parts
    union all
    select
        concern_day,
        is_kept,
        concern,
        rating_mean - {{ var('rating_margin') }} as rate_limit,
        null as possible_limit,
        null as prior_alpha,
        null as prior_beta,
        null as broad_alpha,
        null as broad_beta,
        rating_mean,
        between_variance,
        within_variance
    from ratings
)

select * from final
