-- The definition of tutor_scores, but for what needs all tutors: with a tutor's id it reads only this tutor's rows, by
-- index, down to the days. Live writers (refresh_sessions) use it so.

with as_of as (
    select as_of from {{ ref('int_platform') }}
    where is_as_of
),

tutors as (
    select * from {{ ref('dim_tutors') }}
),

quality as (
    select * from {{ ref('int_tutor_quality') }}
    where as_of = (select as_of.as_of from as_of)
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

-- Tutors without a session in the window have too little data by definition.
statuses as (
    select
        *,
        coalesce(risk_status, 'insufficient_data') as status
    from quality
),

final as (
    select
        tutors.tutor_id,
        tutors.external_id,
        tutors.name,
        tutors.subjects,
        tutors.is_active,
        scores.as_of,
        {% for days in [7, 30, 90] %}
            {% for metric in var('metrics') %}
                coalesce(scores.{{ metric.name }}_{{ days }}d, 0) as {{ metric.name }}_{{ days }}d,
                {% if metric.rate %}
                    scores.{{ metric.name }}_{{ days }}d::double precision / nullif(scores.sessions_{{ days }}d, 0)
                        as {{ metric.rate }}_{{ days }}d,
                {% endif %}
            {% endfor %}
        {% endfor %}
        coalesce(scores.episodes_90d, 0) as episodes_90d,
        scores.let_down_rate_expected,
        scores.let_down_rate_low,
        scores.let_down_rate_high,
        scores.risk_probability,
        scores.status as risk_status,
        scores.status = 'high_risk' as is_high_risk,
        -- Unknown, and not today, while nothing is recorded of the day before.
        coalesce(day_before.risk_status_since, case when history.has_day_before then scores.as_of end)
            as risk_status_since,
        case when scores.is_flagged then {{ function('sessions_to_clear') }}(scores.a, scores.b) end
            as sessions_to_clear,
        scores.tutor_no_show_rate_expected,
        scores.first_meetings,
        scores.first_meetings_continued,
        scores.first_session_rate_expected,
        scores.ratings_90d,
        scores.rating_mean_90d,
        scores.rating_expected,
        scores.reliability_component,
        scores.attendance_component,
        scores.first_session_component,
        scores.rating_component,
        scores.quality_score,
        scores.let_downs_30d::double precision / nullif(scores.sessions_30d, 0)
        - scores.let_downs_previous_30d::double precision / nullif(scores.sessions_previous_30d, 0)
            as trend_30d,
        -- Probes an index per tutor, where max() would read every tutor-day there ever was.
        (
            select tutor_days.last_completed_at
            from tutor_days
            where
                tutor_days.tutor_id = tutors.tutor_id
                and tutor_days.counted_on <= scores.as_of
                and tutor_days.last_completed_at is not null
            order by tutor_days.last_completed_at desc
            limit 1
        ) as last_session_at
    from tutors
    inner join statuses as scores on tutors.tutor_id = scores.tutor_id
    cross join history
    left join day_before on tutors.tutor_id = day_before.tutor_id and scores.status = day_before.risk_status
)

select * from final
