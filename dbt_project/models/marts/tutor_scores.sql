{{
    config(
        pre_hook=["{{ prefer_hash_joins() }}", "{{ store_inputs() }}", "{{ take_live_refreshes() }}"],
        post_hook=["{{ catch_up(this, 250) }}", "{{ create_refresh() }}"],
        indexes=[{'columns': ['risk_status']}],
        meta={
            'once': ['int_tutor_windows'],
            'stored': ['int_as_of', 'int_rate_priors', 'int_rating_means'],
            'waiting': ['peer_percentile'],
        },
    )
}}

{% set score_history = ref('score_history') %}

{% set counts = ['sessions', 'reschedules', 'tutor_reschedules', 'tutor_no_shows', 'short_notice_reschedules'] %}

with as_of as (
    select * from {{ ref('int_as_of') }}
),

tutors as (
    select * from {{ ref('dim_tutors') }}
),

windows as (
    select * from {{ ref('int_tutor_windows') }}
),

posteriors as (
    select * from {{ ref('int_tutor_posteriors') }}
),

sessions_to_clear as (
    select * from {{ ref('int_sessions_to_clear') }}
),

quality as (
    select * from {{ ref('int_tutor_quality') }}
),

tutor_days as (
    select * from {{ ref('int_tutor_days') }}
),

-- The first scoring of a new database may come before any day was recorded.
history as (
    {% if not execute or score_history.is_cte or load_relation(score_history) %}
        select exists(
            select from {{ score_history }}
            where as_of = (select as_of.as_of - 1 from as_of)
        ) as has_day_before
    {% else %}
        select false as has_day_before
    {% endif %}
),

day_before as (
    {% if not execute or score_history.is_cte or load_relation(score_history) %}
        select
            tutor_id,
            risk_status,
            risk_status_since
        from {{ score_history }}
        where as_of = (select as_of.as_of - 1 from as_of)
    {% else %}
        select
            null::uuid as tutor_id,
            null::text as risk_status,
            null::date as risk_status_since
        where false
    {% endif %}
),

last_sessions as (
    select
        tutors.tutor_id,
        newest.last_session_at
    from tutors
    cross join as_of
    -- Probes an index per tutor, where max() would read every tutor-day there ever was.
    cross join lateral (
        select tutor_days.last_completed_at as last_session_at
        from tutor_days
        where
            tutor_days.tutor_id = tutors.tutor_id
            and tutor_days.counted_on <= as_of.as_of
            and tutor_days.last_completed_at is not null
        order by tutor_days.last_completed_at desc
        limit 1
    ) as newest
),

-- Tutors without a session in the window have no row in windows and too little data by definition.
statuses as (
    select
        tutors.tutor_id,
        as_of.as_of,
        coalesce(posteriors.risk_status, 'insufficient_data') as risk_status
    from tutors
    cross join as_of
    left join posteriors on tutors.tutor_id = posteriors.tutor_id and as_of.as_of = posteriors.as_of
),

percentiles as (
    select
        posteriors.tutor_id,
        percent_rank() over (order by quality.quality_score) as peer_percentile
    from posteriors
    inner join as_of on posteriors.as_of = as_of.as_of
    inner join quality on posteriors.as_of = quality.as_of and posteriors.tutor_id = quality.tutor_id
    where posteriors.risk_status <> 'insufficient_data'
),

final as (
    select
        tutors.tutor_id,
        tutors.external_id,
        tutors.name,
        tutors.subjects,
        tutors.is_active,
        statuses.as_of,
        {% for days in [7, 30, 90] %}
            {% for count in counts %}
                coalesce(windows.{{ count }}_{{ days }}d, 0) as {{ count }}_{{ days }}d,
            {% endfor %}
            windows.tutor_reschedules_{{ days }}d::double precision / nullif(windows.sessions_{{ days }}d, 0)
                as reschedule_rate_{{ days }}d,
        {% endfor %}
        coalesce(windows.episodes_90d, 0) as episodes_90d,
        posteriors.reschedule_rate_expected,
        posteriors.reschedule_rate_low,
        posteriors.reschedule_rate_high,
        posteriors.risk_probability,
        statuses.risk_status,
        coalesce(posteriors.is_high_risk, false) as is_high_risk,
        -- Unknown, and not today, while nothing is recorded of the day before.
        coalesce(day_before.risk_status_since, case when history.has_day_before then statuses.as_of end)
            as risk_status_since,
        sessions_to_clear.sessions_to_clear,
        quality.tutor_no_show_rate_expected,
        coalesce(quality.first_meetings, 0) as first_meetings,
        coalesce(quality.first_meetings_continued, 0) as first_meetings_continued,
        quality.first_session_rate_expected,
        coalesce(quality.ratings_90d, 0) as ratings_90d,
        quality.rating_mean_90d,
        quality.rating_expected,
        quality.reliability_component,
        quality.attendance_component,
        quality.first_session_component,
        quality.rating_component,
        quality.quality_score,
        windows.tutor_reschedules_30d::double precision / nullif(windows.sessions_30d, 0)
        - windows.tutor_reschedules_previous_30d::double precision / nullif(windows.sessions_previous_30d, 0)
            as trend_30d,
        percentiles.peer_percentile,
        last_sessions.last_session_at
    from tutors
    inner join statuses on tutors.tutor_id = statuses.tutor_id
    cross join history
    left join windows on tutors.tutor_id = windows.tutor_id and statuses.as_of = windows.as_of
    left join posteriors on tutors.tutor_id = posteriors.tutor_id and statuses.as_of = posteriors.as_of
    left join sessions_to_clear
        on tutors.tutor_id = sessions_to_clear.tutor_id and statuses.as_of = sessions_to_clear.as_of
    left join quality on tutors.tutor_id = quality.tutor_id and statuses.as_of = quality.as_of
    left join day_before
        on tutors.tutor_id = day_before.tutor_id and statuses.risk_status = day_before.risk_status
    left join percentiles on tutors.tutor_id = percentiles.tutor_id
    left join last_sessions on tutors.tutor_id = last_sessions.tutor_id
)

select * from final
