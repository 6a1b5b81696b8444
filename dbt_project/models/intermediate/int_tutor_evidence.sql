-- Sums of integers, and of numeric ratings times integers, so that the order of rows cannot change a digit. Each
-- tutor's days and pairs are read by index, be it for one tutor or for all.

with dates as (
    select * from {{ ref('int_concern_dates') }}
),

tutors as (
    select tutor_id from {{ ref('dim_tutors') }}
),

tutor_days as (
    select * from {{ ref('int_tutor_days') }}
),

pairs as (
    select * from {{ ref('int_pairs') }}
),

{% set unit = '/ power(2, 40)' %}
final as (
    select
        dates.concern_day,
        dates.is_as_of,
        tutors.tutor_id,
        sums.*,
        meetings.*
    from dates
    cross join tutors
    cross join
        lateral (
            select
                {% for concern in var('rate_concerns') %}
                    {% set half_life = var(concern.half_life) %}
                    sum({{ function('evidence_weight') }}(age_days, {{ half_life }}) * {{ concern.trials }}) {{ unit }}
                        as {{ concern.name }}_trials,
                    sum({{ function('evidence_weight') }}(age_days, {{ half_life }}) * {{ concern.events }}) {{ unit }}
                        as {{ concern.name }}_events,
                    sum({{ function('evidence_weight') }}(age_days, {{ half_life / 2 }}) * {{ concern.trials }})
                    {{ unit }} as {{ concern.name }}_squares,
                    coalesce(sum({{ concern.trials }}) filter (where age_days < {{ concern.needs_days }}), 0)::bigint
                        as {{ concern.name }}_recent_trials,
                    coalesce(sum({{ concern.events }}) filter (where age_days < {{ concern.needs_days }}), 0)::bigint
                        as {{ concern.name }}_recent_events,
                {% endfor %}
                {% set half_life = var('evidence_half_life_days') %}
                sum({{ function('evidence_weight') }}(age_days, {{ half_life }}) * ratings) {{ unit }} as rating_trials,
                sum({{ function('evidence_weight') }}(age_days, {{ half_life }}) * rating_sum) {{ unit }}
                    as rating_total,
                sum({{ function('evidence_weight') }}(age_days, {{ half_life }}) * rating_sum_of_squares) {{ unit }}
                    as rating_total_of_squares,
                sum({{ function('evidence_weight') }}(age_days, {{ half_life / 2 }}) * ratings) {{ unit }}
                    as rating_squares,
                coalesce(sum(ratings), 0)::bigint as recent_ratings,
                sum(rating_sum) as recent_rating_sum
            from (
                select
                    tutor_days.*,
                    dates.concern_day - tutor_days.counted_on as age_days
                from tutor_days
                where
                    tutor_days.tutor_id = tutors.tutor_id
                    and tutor_days.counted_on > dates.concern_day - {{ var('evidence_days') }}
                    and tutor_days.counted_on <= dates.concern_day
            ) as in_window
        ) as sums
    cross join lateral (
        select
            count(*) as first_meetings,
            count(*) filter (where not pairs.is_continued) as first_meetings_lost
        from pairs
        where
            pairs.tutor_id = tutors.tutor_id
            and pairs.first_session_on > dates.concern_day - {{ var('first_session_window_days') }}
            and pairs.first_session_on <= dates.concern_day - {{ var('first_session_follow_up_days') }}
    ) as meetings
)

select * from final
