{{ config(pre_hook="{{ mark_as_published() }}") }}

-- Built last: depends on every other mart, and its generation is what readers cache by.
-- depends_on: {{ ref('dim_tutors') }}, {{ ref('dim_students') }}, {{ ref('fct_sessions') }}
-- depends_on: {{ ref('fct_moves') }}, {{ ref('tutor_scores') }}, {{ ref('platform_baseline') }}
-- depends_on: {{ ref('tutor_concerns') }}, {{ ref('tutor_flags') }}
-- depends_on: {{ ref('tutor_weekly') }}, {{ ref('platform_weekly') }}, {{ ref('score_history') }}

with as_of as (
    select * from {{ ref('int_as_of') }}
),

final as (
    select
        nextval('app.publication_generation') as generation,
        as_of,
        clock_timestamp() as published_at,
        clock_timestamp() as refreshed_at,
        -- What the scores depend on, each under the name of its var: enough to compute them again.
        '{{ var("timezone") }}'::text as timezone,
        {{ var('risk_threshold') }}::double precision as risk_threshold,
        {{ var('high_risk_probability') }}::double precision as high_risk_probability,
        {{ var('watch_probability') }}::double precision as watch_probability,
        {{ var('min_sessions') }}::integer as min_sessions,
        string_to_array('{{ var("reliability_counts") | join(" ") }}', ' ') as reliability_counts,
        {{ var('reliability_weight') }}::double precision as reliability_weight,
        {{ var('attendance_weight') }}::double precision as attendance_weight,
        {{ var('first_session_weight') }}::double precision as first_session_weight,
        {{ var('rating_weight') }}::double precision as rating_weight,
        {{ var('first_session_follow_up_days') }}::integer as first_session_follow_up_days,
        {{ var('first_session_window_days') }}::integer as first_session_window_days,
        {{ var('short_notice_hours') }}::double precision as short_notice_hours,
        {{ var('late_start_minutes') }}::double precision as late_start_minutes
    from as_of
)

select * from final
