{{
    config(
        materialized='incremental',
        queue={'from': 'intermediate.touched_weeks', 'key': {'week_start': 'week_start'}},
        pre_hook="select intermediate.touch_weeks_of_another_day()",
        indexes=[
            {'columns': ['tutor_id', 'week_start'], 'unique': true},
            {'columns': ['week_start']},
        ],
    )
}}

-- depends_on: {{ function('touch_weeks_of_another_day') }}

with as_of as (
    select * from {{ ref('int_as_of') }}
),

tutor_days as (
    select * from {{ ref('int_tutor_days') }}
),

weeks as (
    select {{ week_of('as_of') }} - 7 * weeks_ago as week_start
    from as_of
    cross join generate_series(0, 51) as weeks_ago
),

final as (
    select
        tutor_days.tutor_id,
        weeks.week_start,
        {% for metric in var('metrics') %}
            sum(tutor_days.{{ metric.name }})::bigint as {{ metric.name }},
        {% endfor %}
        sum(tutor_days.ratings)::bigint as ratings,
        sum(tutor_days.rating_sum) as rating_sum
    from weeks
    cross join as_of
    inner join tutor_days
        on
            tutor_days.counted_on >= weeks.week_start
            and tutor_days.counted_on < weeks.week_start + 7
            and tutor_days.counted_on <= as_of.as_of
    group by tutor_days.tutor_id, weeks.week_start
)

select * from final
