{{
    config(
        pre_hook="{{ mark_as_published() }}",
        post_hook=["alter table {{ this }} set (fillfactor = 50)", "{{ tell_publication() }}"],
    )
}}

-- Each live refresh writes the row anew. Unless half of a page is to be kept free, versions fill the page before
-- Postgres looks for room in it, and go on in the next: 5,000 refreshes made 1,282 pages, which each look at it reads.

-- Built last: depends on every other mart, and its generation is what readers cache by.
-- depends_on: {{ ref('dim_tutors') }}, {{ ref('dim_students') }}, {{ ref('fct_sessions') }}
-- depends_on: {{ ref('fct_moves') }}, {{ ref('tutor_scores') }}, {{ ref('platform_baseline') }}
-- depends_on: {{ ref('tutor_concerns') }}, {{ ref('tutor_flags') }}
-- depends_on: {{ ref('tutor_weekly') }}, {{ ref('platform_weekly') }}, {{ ref('score_history') }}
-- depends_on: {{ ref('tutor_patterns') }}, {{ ref('tutor_slots') }}, {{ ref('score_calibration') }}
-- depends_on: {{ ref('fairness_groups') }}
-- depends_on: {{ ref('platform_notice') }}, {{ ref('platform_retention') }}, {{ ref('attention_weekly') }}

with as_of as (
    select * from {{ ref('int_as_of') }}
),

final as (
    select
        nextval('app.publication_generation') as generation,
        as_of,
        clock_timestamp() as published_at,
        clock_timestamp() as refreshed_at,
        '{{ var("models_version") }}'::text as models_version,
        -- What the scores depend on, each under the name of its var: enough to compute them again.
        '{{ var("timezone") }}'::text as timezone,
        {{ var('risk_threshold') }}::double precision as risk_threshold,
        {{ var('high_risk_probability') }}::double precision as high_risk_probability,
        {{ var('watch_probability') }}::double precision as watch_probability,
        {{ var('min_sessions') }}::integer as min_sessions,
        string_to_array('{{ var("reliability_counts") | join(" ") }}', ' ') as reliability_counts,
        {{ var('randomise_follow_up') }} as randomise_follow_up,
        '{{ var("unnamed_no_shows") }}'::text as unnamed_no_shows,
        {{ var('reliability_weight') }}::double precision as reliability_weight,
        {{ var('attendance_weight') }}::double precision as attendance_weight,
        {{ var('first_session_weight') }}::double precision as first_session_weight,
        {{ var('rating_weight') }}::double precision as rating_weight,
        {{ var('first_session_follow_up_days') }}::integer as first_session_follow_up_days,
        {{ var('first_session_window_days') }}::integer as first_session_window_days,
        {{ var('short_notice_hours') }}::double precision as short_notice_hours,
        {{ var('late_start_minutes') }}::double precision as late_start_minutes,
        jsonb_build_object(
            {% for name in [
                'concern_days', 'pace_days', 'projected_days', 'evidence_days', 'evidence_half_life_days',
                'evidence_cap', 'no_show_half_life_days', 'no_show_evidence_cap', 'broad_share', 'starts_needed',
                'first_meetings_needed', 'ratings_needed', 'greatest_limit', 'no_show_limit', 'late_start_limit',
                'first_meeting_margin', 'rating_margin', 'lost_student_fallback_prior', 'rating_broad_variance',
                'rating_fallback_variance', 'rating_fallback_spread', 'rating_least_spread',
                'filter_days_between_jumps', 'filter_rates', 'shipped_filter_prior', 'shipped_design_effect',
                'shipped_quality_means',
            ] %}
                '{{ name }}', '{{ var(name) }}'::jsonb,
            {% endfor %}
            'shipped_quality_covariance', '{{ var("shipped_quality_covariance") }}'::jsonb
        ) as concern_rules
    from as_of
)

select * from final
