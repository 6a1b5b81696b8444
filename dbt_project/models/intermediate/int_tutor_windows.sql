-- Each tutor's days are read by index, be it for one tutor or for all.

with scoring_days as (
    select * from {{ ref('int_scoring_days') }}
),

tutors as (
    select tutor_id from {{ ref('dim_tutors') }}
),

-- Not materialized: they are looked up by index, twice.
tutor_days as not materialized (
    select * from {{ ref('int_tutor_days') }}
),

final as (
    select
        scoring_days.as_of,
        tutors.tutor_id,
        counts.*
    from scoring_days
    cross join tutors
    cross join lateral (
        select
            {% for days in [7, 30, 90] %}
                {% for metric in var('metrics') %}
                    coalesce(sum({{ metric.name }}) filter (where age_days < {{ days }}), 0)::bigint
                        as {{ metric.name }}_{{ days }}d,
                {% endfor %}
            {% endfor %}
            sum(sessions) filter (where age_days between 30 and 59) as sessions_previous_30d,
            sum(let_downs) filter (where age_days between 30 and 59) as let_downs_previous_30d,
            coalesce(sum(ratings), 0)::bigint as ratings_90d,
            sum(rating_sum) as rating_sum_90d,
            (
                select count(distinct asked_for.episode)
                from tutor_days as days_of_episodes
                cross join lateral unnest(days_of_episodes.episodes) as asked_for (episode)
                where
                    days_of_episodes.tutor_id = tutors.tutor_id
                    and days_of_episodes.counted_on > scoring_days.as_of - 90
                    and days_of_episodes.counted_on <= scoring_days.as_of
                    and days_of_episodes.episodes is not null
            ) as episodes_90d
        from (
            select
                tutor_days.*,
                scoring_days.as_of - tutor_days.counted_on as age_days
            from tutor_days
            where
                tutor_days.tutor_id = tutors.tutor_id
                and tutor_days.counted_on > scoring_days.as_of - 90
                and tutor_days.counted_on <= scoring_days.as_of
        ) as in_window
    ) as counts
)

select * from final
