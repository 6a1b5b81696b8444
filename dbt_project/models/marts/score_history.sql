{{
    config(
        materialized='incremental',
        full_refresh=false,
        queue={'from': 'intermediate.days_to_record', 'key': {'as_of': 'as_of'}},
        pre_hook=[
            "{{ prefer_hash_joins() }}",
            "select marts.record_days('{ {{- var('scoring_days') | join(', ') -}} }')",
        ],
        post_hook="select marts.join_recorded_days()",
        indexes=[{'columns': ['as_of']}],
    )
}}

-- A metric that is declared later is null on the days recorded before; they can be recorded again.
-- depends_on: {{ function('record_days') }}, {{ function('join_recorded_days') }}

{% set columns = ['tutor_id', 'as_of'] %}
{% for metric in var('metrics') %}
    {% do columns.append(metric.name ~ '_90d') %}
    {% if metric.rate %} {% do columns.append(metric.rate ~ '_90d') %} {% endif %}
{% endfor %}
{% do columns.extend([
    'let_down_rate_expected', 'let_down_rate_low', 'let_down_rate_high', 'risk_probability', 'risk_status',
    'quality_score',
]) %}

with platform as (
    select * from {{ ref('int_platform') }}
    where is_as_of
),

as_of_day as (
    select * from {{ ref('tutor_scores') }}
    where sessions_90d > 0 and as_of = (select platform.as_of from platform)
),

earlier_days as (
    select
        {% for metric in var('metrics') if metric.rate %}
            {{ metric.name }}_90d::double precision / sessions_90d as {{ metric.rate }}_90d,
        {% endfor %}
        *
    from {{ ref('int_tutor_quality') }}
    where sessions_90d > 0 and as_of <> (select platform.as_of from platform)
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
