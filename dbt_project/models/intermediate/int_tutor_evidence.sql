-- Sums of integers, and of numeric ratings times integers, so that the order of rows cannot change a digit. With a
-- tutor's id and a day it reads this tutor's rows by index.

with dates as (
    select * from {{ ref('int_concern_dates') }}
),

tutor_days as (
    select * from {{ ref('int_tutor_days') }}
),

-- Not materialized: the planner then knows how many tutors there are, and hashes them where it would sort all days.
in_window as not materialized (
    select
        dates.concern_day,
        dates.is_as_of,
        tutor_days.*,
        dates.concern_day - tutor_days.counted_on as age_days
    from dates
    inner join tutor_days
        on
            tutor_days.counted_on > dates.concern_day - {{ var('evidence_days') }}
            and tutor_days.counted_on <= dates.concern_day
),

{% set unit = '/ power(2, 40)' %}
final as (
    select
        concern_day,
        is_as_of,
        tutor_id,
        {% for concern in var('rate_concerns') %}
            {% set half_life = var(concern.half_life) %}
            sum({{ function('evidence_weight') }}(age_days, {{ half_life }}) * {{ concern.trials }}) {{ unit }}
                as {{ concern.name }}_trials,
            sum({{ function('evidence_weight') }}(age_days, {{ half_life }}) * {{ concern.events }}) {{ unit }}
                as {{ concern.name }}_events,
            sum({{ function('evidence_weight') }}(age_days, {{ half_life / 2 }}) * {{ concern.trials }}) {{ unit }}
                as {{ concern.name }}_squares,
            coalesce(sum({{ concern.trials }}) filter (where age_days < {{ concern.needs_days }}), 0)::bigint
                as {{ concern.name }}_recent_trials,
            coalesce(sum({{ concern.events }}) filter (where age_days < {{ concern.needs_days }}), 0)::bigint
                as {{ concern.name }}_recent_events,
        {% endfor %}
        {% set half_life = var('evidence_half_life_days') %}
        sum({{ function('evidence_weight') }}(age_days, {{ half_life }}) * ratings) {{ unit }} as rating_trials,
        sum({{ function('evidence_weight') }}(age_days, {{ half_life }}) * rating_sum) {{ unit }} as rating_total,
        sum({{ function('evidence_weight') }}(age_days, {{ half_life }}) * rating_sum_of_squares) {{ unit }}
            as rating_total_of_squares,
        sum({{ function('evidence_weight') }}(age_days, {{ half_life / 2 }}) * ratings) {{ unit }} as rating_squares,
        sum(ratings)::bigint as recent_ratings,
        sum(rating_sum) as recent_rating_sum
    from in_window
    group by concern_day, is_as_of, tutor_id
)

select * from final
