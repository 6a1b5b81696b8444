{{
    config(
        materialized='incremental',
        queue={
            'from': 'intermediate.touched_tutor_days',
            'key': {'tutor_id': 'tutor_id', 'counted_on': 'counted_on'},
        },
        passes_on={
            'intermediate.touched_weeks': [week_of('counted_on')],
            'intermediate.touched_concerns': ['tutor_id', 'counted_on'],
        },
        gate=1,
        order_by='counted_on',
        indexes=[
            {'columns': ['tutor_id', 'counted_on'], 'unique': true},
            {'columns': ['counted_on']},
            {'columns': ['tutor_id', 'last_completed_at']},
        ],
    )
}}

-- A lesson with several students counts once for its tutor on a day: as the session of it that tells most. Two
-- selections, because only what is a lesson has to be sorted.
with sessions as (
    select
        *,
        true as is_counted
    from {{ ref('int_session_facts') }}
    where is_final and lesson_id is null
    union all
    select
        *,
        row_number() over (
            partition by tutor_id, counted_on, lesson_id
            order by is_let_down desc, status <> 'completed' asc, session_id asc
        ) = 1 as is_counted
    from {{ ref('int_session_facts') }}
    where is_final and lesson_id is not null
),

final as (
    select
        tutor_id,
        counted_on,
        {% for metric in var('metrics') %}
            count(*) filter (where is_counted and ({{ metric.condition }})) as {{ metric.name }},
        {% endfor %}
        count(rating) as ratings,
        coalesce(sum(rating), 0) as rating_sum,
        coalesce(sum(rating * rating), 0) as rating_sum_of_squares,
        max(scheduled_time) filter (where status = 'completed') as last_completed_at,
        -- Let-downs asked for on one day for one reason are one episode.
        array_agg(
            distinct to_char(coalesce(called_off_on, counted_on), 'YYYY-MM-DD') || coalesce(' ' || reason_code, '')
        ) filter (where is_counted and is_let_down) as episodes
    from sessions
    group by tutor_id, counted_on
)

select * from final
