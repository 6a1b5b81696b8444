{{ config(materialized='incremental') }}

-- Emptied and filled, and not put in the place of another table, because tutor_weekly is a view of it.

with tutor_weeks as (
    select * from {{ ref('int_tutor_weeks') }}
),

final as (
    select
        week_start,
        {% for metric in var('metrics') %}
            sum({{ metric.name }})::bigint as {{ metric.name }},
            {% if metric.rate %}
                sum({{ metric.name }})::double precision / sum(sessions)::double precision as {{ metric.rate }},
            {% endif %}
        {% endfor %}
        (sum(rating_sum) / nullif(sum(ratings), 0))::double precision as rating_mean
    from tutor_weeks
    group by week_start
)

select * from final
