{{
    config(
        materialized='incremental',
        full_refresh=false,
        queue={'from': 'intermediate.days_to_record', 'key': {'as_of': 'as_of'}},
        pre_hook="select marts.record_days('{ {{- var('scoring_days') | join(', ') -}} }')",
        post_hook="select marts.join_recorded_days()",
        indexes=[{'columns': ['as_of']}],
    )
}}

-- A metric that is declared later is null on the days recorded before; they can be recorded again.
-- depends_on: {{ function('record_days') }}, {{ function('join_recorded_days') }}

{% set columns = ['tutor_id', 'as_of'] %}
{% for metric in var('metrics') %}
    {% do columns.append(metric.name ~ '_90d') %}
    {% if metric.rate %}  {% do columns.append(metric.rate ~ '_90d') %} {% endif %}
{% endfor %}
{% do columns.extend([
    'let_down_rate_expected', 'let_down_rate_low', 'let_down_rate_high', 'risk_probability', 'risk_status',
    'quality_score',
]) %}

with platform as (
    select * from {{ ref('int_platform') }}
),

as_of_day as (
    select * from {{ ref('tutor_scores') }}
    where sessions_90d > 0 and as_of = (select platform.as_of from platform)
),

windows as (
    select * from {{ ref('int_tutor_windows') }}
    where sessions_90d > 0 and as_of <> (select platform.as_of from platform)
),

estimates as (
    select * from {{ ref('int_concern_estimates') }}
),

reference as (
    select * from {{ ref('int_score_reference') }}
),

-- What there was to say on a day by itself: of a concern's days before it, nothing is known.
earlier_days as (
    select
        windows.*,
        {% for metric in var('metrics') if metric.rate %}
            windows.{{ metric.name }}_90d::double precision / windows.sessions_90d as {{ metric.rate }}_90d,
        {% endfor %}
        found.let_down_rate_expected,
        found.let_down_rate_low,
        found.let_down_rate_high,
        found.risk_probability,
        case
            when windows.sessions_90d < {{ var('min_sessions') }} then 'insufficient_data'
            when found.risk_probability >= {{ var('high_risk_probability') }} then 'high_risk'
            when found.risk_probability >= {{ var('watch_probability') }} then 'watch'
            when found.risk_probability is not null then 'ok'
            else 'insufficient_data'
        end as risk_status,
        quality.score as quality_score
    from windows
    cross join reference
    cross join
        lateral (
            select
                max(estimates.expected) filter (where estimates.concern = 'unreliable') as let_down_rate_expected,
                max(estimates.low) filter (where estimates.concern = 'unreliable') as let_down_rate_low,
                max(estimates.high) filter (where estimates.concern = 'unreliable') as let_down_rate_high,
                max(estimates.probability) filter (where estimates.concern = 'unreliable') as risk_probability,
                max(estimates.expected) filter (where estimates.concern = 'no_shows') as no_show_rate_expected,
                max(estimates.expected) filter (where estimates.concern = 'loses_new_students') as lost_rate_expected,
                max(estimates.expected) filter (where estimates.concern = 'low_ratings') as rating_expected
            from estimates
            where estimates.tutor_id = windows.tutor_id and estimates.concern_day = windows.as_of
        ) as found
    cross join lateral {{ function('quality_score') }}(
        found.let_down_rate_expected,
        found.no_show_rate_expected,
        found.lost_rate_expected,
        found.rating_expected,
        reference.means,
        reference.covariance
    ) as quality
),

united as (
    select {{ columns | join(', ') }} from as_of_day
    union all
    select {{ columns | join(', ') }} from earlier_days
),

final as (
    select
        *,
        -- Put right by the post-hook, which sees the days before and after.
        as_of as risk_status_since
    from united
)

select * from final
