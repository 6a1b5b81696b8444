{{
    config(
        materialized='incremental',
        pre_hook=["select intermediate.begin_scoring_day()", "{{ prefer_hash_joins() }}"],
        post_hook="select intermediate.take_over_concern_priors()",
    )
}}

-- What scores take from all tutors, as the last run has found it: scores that are refreshed live in between start from
-- the same numbers, to the last bit.
-- depends_on: {{ function('begin_scoring_day') }}, {{ function('take_over_concern_priors') }}
-- depends_on: {{ ref('int_concern_moments') }}, {{ ref('int_rating_moments') }}

with scoring_days as (
    select * from {{ ref('int_scoring_days') }}
),

priors as (
    select * from {{ ref('int_rate_priors') }}
),

rating_means as (
    select * from {{ ref('int_rating_means') }}
),

final as (
    select
        scoring_days.as_of,
        scoring_days.is_as_of,
        {% for rate in ['let_down', 'no_show', 'first_session'] %}
            {% for column in ['units', 'trials', 'successes', 'rate', 'prior_alpha', 'prior_beta'] %}
                max(priors.{{ column }}) filter (where priors.rate_name = '{{ rate }}') as {{ rate }}_{{ column }},
            {% endfor %}
        {% endfor %}
        max(rating_means.platform_rating_mean) as platform_rating_mean
    from scoring_days
    inner join priors on scoring_days.as_of = priors.as_of
    left join rating_means on scoring_days.as_of = rating_means.as_of
    group by scoring_days.as_of, scoring_days.is_as_of
)

select * from final
