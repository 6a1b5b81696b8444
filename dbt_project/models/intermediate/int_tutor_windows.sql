with scoring_days as (
    select * from {{ ref('int_scoring_days') }}
),

tutor_days as (
    select * from {{ ref('int_tutor_days') }}
),

-- Not materialized: the planner then knows how many tutors there are, and hashes them where it would sort all days.
in_window as not materialized (
    select
        scoring_days.as_of,
        tutor_days.*,
        scoring_days.as_of - tutor_days.counted_on as age_days
    from scoring_days
    inner join tutor_days
        on
            tutor_days.counted_on > scoring_days.as_of - 90
            and tutor_days.counted_on <= scoring_days.as_of
),

episodes as (
    select
        as_of,
        tutor_id,
        count(distinct episode) as episodes_90d
    from in_window
    cross join lateral unnest(episodes) as episode
    where episodes is not null
    group by as_of, tutor_id
),

counts as (
    select
        as_of,
        tutor_id,
        {% for days in [7, 30, 90] %}
            {% for metric in var('metrics') %}
                coalesce(sum({{ metric.name }}) filter (where age_days < {{ days }}), 0)::bigint
                    as {{ metric.name }}_{{ days }}d,
            {% endfor %}
        {% endfor %}
        sum(sessions) filter (where age_days between 30 and 59) as sessions_previous_30d,
        sum(let_downs) filter (where age_days between 30 and 59) as let_downs_previous_30d,
        sum(ratings)::bigint as ratings_90d,
        sum(rating_sum) as rating_sum_90d
    from in_window
    group by as_of, tutor_id
),

final as (
    select
        counts.*,
        coalesce(episodes.episodes_90d, 0) as episodes_90d
    from counts
    left join episodes on counts.as_of = episodes.as_of and counts.tutor_id = episodes.tutor_id
)

select * from final
