-- Sums of integers, which double precision adds exactly, and of numeric ratings times integers, so that the order of
-- rows cannot change a digit. Each tutor's days and pairs are read by index, be it for one tutor or for all.

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

{% set half_lives = [var('evidence_half_life_days'), var('no_show_half_life_days')] %}
{% set unit = '/ power(2, 36)' %}
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
                    {% set half_life = half_lives.index(var(concern.half_life)) %}
                    sum(weight_{{ half_life }} * {{ concern.trials }}) {{ unit }} as {{ concern.name }}_trials,
                    sum(weight_{{ half_life }} * {{ concern.events }}) {{ unit }} as {{ concern.name }}_events,
                    sum(square_{{ half_life }} * {{ concern.trials }}) {{ unit }} as {{ concern.name }}_squares,
                    coalesce(sum({{ concern.trials }}) filter (where age_days < {{ concern.needs_days }}), 0)::bigint
                        as {{ concern.name }}_recent_trials,
                    coalesce(sum({{ concern.events }}) filter (where age_days < {{ concern.needs_days }}), 0)::bigint
                        as {{ concern.name }}_recent_events,
                {% endfor %}
                sum(weight_0 * ratings) {{ unit }} as rating_trials,
                sum(weight_0 * rating_sum) {{ unit }} as rating_total,
                sum(weight_0 * rating_sum_of_squares) {{ unit }} as rating_total_of_squares,
                sum(square_0 * ratings) {{ unit }} as rating_squares,
                coalesce(sum(ratings), 0)::bigint as recent_ratings,
                sum(rating_sum) as recent_rating_sum
            from (
                select
                    {% for half_life in half_lives %}
                        {{ function('evidence_weight') }}(age_days, {{ half_life }}) >> 4
                            as weight_{{ loop.index0 }},
                        {{ function('evidence_weight') }}(age_days, {{ half_life / 2 }}) >> 4
                            as square_{{ loop.index0 }},
                    {% endfor %}
                    {% for column in (var('rate_concerns') | map(attribute='trials') | list
                                      + var('rate_concerns') | map(attribute='events') | list) | unique %}
                        {{ column }}::double precision as {{ column }},
                    {% endfor %}
                    ratings::double precision as ratings,
                    rating_sum,
                    rating_sum_of_squares,
                    age_days
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
                -- Each weight is looked up once, not once per sum.
                offset 0 -- noqa: AM09
            ) as weighted
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
