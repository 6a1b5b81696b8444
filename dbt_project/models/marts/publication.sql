{{ config(pre_hook="{{ mark_as_published() }}") }}

-- Built last: depends on every other mart, and its generation is what readers cache by.
-- depends_on: {{ ref('dim_tutors') }}, {{ ref('dim_students') }}, {{ ref('fct_sessions') }}
-- depends_on: {{ ref('fct_reschedules') }}, {{ ref('tutor_scores') }}, {{ ref('platform_baseline') }}
-- depends_on: {{ ref('tutor_weekly') }}, {{ ref('platform_weekly') }}

with as_of as (
    select * from {{ ref('int_as_of') }}
),

final as (
    select
        nextval('app.publication_generation') as generation,
        as_of,
        clock_timestamp() as published_at,
        clock_timestamp() as refreshed_at,
        '{{ var("timezone") }}'::text as timezone,
        {{ var('risk_threshold') }}::double precision as risk_threshold,
        {{ var('high_risk_probability') }}::double precision as high_risk_probability,
        {{ var('watch_probability') }}::double precision as watch_probability,
        {{ var('reliability_weight') }}::double precision as reliability_weight,
        {{ var('attendance_weight') }}::double precision as attendance_weight,
        {{ var('first_session_weight') }}::double precision as first_session_weight,
        {{ var('rating_weight') }}::double precision as rating_weight
    from as_of
)

select * from final
