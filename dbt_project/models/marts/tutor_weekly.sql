{{ config(materialized='view') }}

-- No CTEs: Postgres cannot look rows up by index in a view that has some, when it is joined.

select
    tutor_weeks.tutor_id,
    tutor_weeks.week_start,
    {% for metric in var('metrics') %}
        tutor_weeks.{{ metric.name }},
        {% if metric.rate %}
            tutor_weeks.{{ metric.name }}::double precision / tutor_weeks.sessions as {{ metric.rate }},
        {% endif %}
    {% endfor %}
    platform_weeks.let_down_rate as platform_let_down_rate,
    (tutor_weeks.rating_sum / nullif(tutor_weeks.ratings, 0))::double precision as rating_mean
from {{ ref('int_tutor_weeks') }} as tutor_weeks
inner join {{ ref('platform_weekly') }} as platform_weeks on tutor_weeks.week_start = platform_weeks.week_start
