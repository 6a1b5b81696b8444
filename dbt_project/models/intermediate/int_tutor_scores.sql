-- The definition of tutor_scores, but for what needs all tutors. Each tutor's rows are read by index, down to the days,
-- be it for one tutor or for all. Live writers (refresh_sessions) use it so.

with as_of as (
    select as_of from {{ ref('int_platform') }}
),

tutors as (
    select * from {{ ref('dim_tutors') }}
),

windows as (
    select * from {{ ref('int_tutor_windows') }}
    where as_of = (select as_of.as_of from as_of)
),

concerns as (
    select * from {{ ref('tutor_concerns') }}
),

reference as (
    select * from {{ ref('int_score_reference') }}
),

tutor_days as (
    select * from {{ ref('int_tutor_days') }}
),

-- Not materialized: of one tutor, one row is looked up.
day_before as not materialized (
    select
        tutor_id,
        risk_status,
        risk_status_since
    from {{ ref('int_day_before') }}
    where as_of = (select as_of.as_of - 1 from as_of)
),

history as (
    select exists(select from day_before) as has_day_before
),

final as (
    select
        windows.tutor_id,
        tutors.external_id,
        tutors.name,
        tutors.subjects,
        tutors.is_active,
        windows.as_of,
        {% for days in [7, 30, 90] %}
            {% for metric in var('metrics') %}
                windows.{{ metric.name }}_{{ days }}d,
                {% if metric.rate %}
                    windows.{{ metric.name }}_{{ days }}d::double precision / nullif(windows.sessions_{{ days }}d, 0)
                        as {{ metric.rate }}_{{ days }}d,
                {% endif %}
            {% endfor %}
        {% endfor %}
        windows.episodes_90d,
        found.concerns,
        cardinality(found.concerns) > 0 as attention,
        found.let_down_rate_expected,
        found.let_down_rate_low,
        found.let_down_rate_high,
        found.risk_probability,
        found.risk_status,
        found.risk_status = 'high_risk' as is_high_risk,
        -- Unknown, and not today, while nothing is recorded of the day before.
        coalesce(day_before.risk_status_since, case when history.has_day_before then windows.as_of end)
            as risk_status_since,
        found.tutor_no_show_rate_expected,
        found.first_meetings,
        found.first_meetings - found.first_meetings_lost as first_meetings_continued,
        1 - found.lost_rate_expected as first_session_rate_expected,
        windows.ratings_90d,
        (windows.rating_sum_90d / nullif(windows.ratings_90d, 0))::double precision as rating_mean_90d,
        found.rating_expected,
        quality.reliability as reliability_component,
        quality.attendance as attendance_component,
        quality.first_session as first_session_component,
        quality.rating_component,
        quality.score as quality_score,
        windows.let_downs_30d::double precision / nullif(windows.sessions_30d, 0)
        - windows.let_downs_previous_30d::double precision / nullif(windows.sessions_previous_30d, 0)
            as trend_30d,
        -- Probes an index per tutor, where max() would read every tutor-day there ever was.
        (
            select tutor_days.last_completed_at
            from tutor_days
            where
                tutor_days.tutor_id = windows.tutor_id
                and tutor_days.counted_on <= windows.as_of
                and tutor_days.last_completed_at is not null
            order by tutor_days.last_completed_at desc
            limit 1
        ) as last_session_at
    from windows
    inner join tutors on windows.tutor_id = tutors.tutor_id
    cross join reference
    cross join history
    cross join
        lateral (
            select
                coalesce(
                    array_agg(
                        concerns.concern
                        order by array_position('{ {{- var('concerns') | join(', ') -}} }'::text[], concerns.concern)
                    ) filter (where concerns.status = 'raised' and not concerns.superseded),
                    '{}'
                ) as concerns,
                {% for concern, column, name in [
                    ('unreliable', 'expected', 'let_down_rate_expected'),
                    ('unreliable', 'low', 'let_down_rate_low'),
                    ('unreliable', 'high', 'let_down_rate_high'),
                    ('unreliable', 'probability', 'risk_probability'),
                    ('no_shows', 'expected', 'tutor_no_show_rate_expected'),
                    ('loses_new_students', 'expected', 'lost_rate_expected'),
                    ('low_ratings', 'expected', 'rating_expected'),
                ] %}
                    max(concerns.{{ column }}) filter (where concerns.concern = '{{ concern }}') as {{ name }},
                {% endfor %}
                {% for column, name in [('trials', 'first_meetings'), ('events', 'first_meetings_lost')] %}
                    coalesce(max(concerns.{{ column }}) filter (where concerns.concern = 'loses_new_students'), 0)
                        as {{ name }},
                {% endfor %}
                -- Without evidence there is too little data by definition.
                coalesce(
                    max(case concerns.status when 'raised' then 'high_risk' else concerns.status end)
                    filter (where concerns.concern = 'unreliable'),
                    'insufficient_data'
                ) as risk_status
            from concerns
            where concerns.tutor_id = windows.tutor_id
        ) as found
    cross join
        lateral {{ function('quality_score') }}(
            found.let_down_rate_expected,
            found.tutor_no_show_rate_expected,
            found.lost_rate_expected,
            found.rating_expected,
            reference.means,
            reference.covariance
        ) as quality
    left join day_before on windows.tutor_id = day_before.tutor_id and found.risk_status = day_before.risk_status
)

select * from final
