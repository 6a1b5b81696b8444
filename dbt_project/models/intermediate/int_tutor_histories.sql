{{
    config(
        materialized='table',
        tags=['matching'],
        indexes=[{'columns': ['tutor_id', 'known_before'], 'unique': true}],
        post_hook="analyze {{ this }}",
    )
}}

-- Windows as of the day before: 90 days of sessions, 365 days of first meetings.

with as_of as (
    select * from {{ ref('int_as_of') }}
),

sessions as (
    select * from {{ ref('int_session_facts') }}
),

pairs as (
    select * from {{ ref('int_pairs') }}
),

entries as (
    select
        sessions.tutor_id,
        sessions.scheduled_on as known_before,
        count(*) as sessions,
        0 as tutor_reschedules,
        count(*) filter (where sessions.is_tutor_no_show) as tutor_no_shows,
        count(sessions.rating) as ratings,
        coalesce(sum(sessions.rating), 0) as rating_sum,
        0 as first_meetings,
        0 as first_meetings_continued
    from sessions
    where sessions.status <> 'scheduled'
    group by sessions.tutor_id, sessions.scheduled_on

    union all

    -- By themselves, for a session may be called off after the event: until then nobody knew.
    select
        sessions.tutor_id,
        {{ known_on('sessions') }} as known_before,
        0 as sessions,
        count(*) as tutor_reschedules,
        0 as tutor_no_shows,
        0 as ratings,
        0 as rating_sum,
        0 as first_meetings,
        0 as first_meetings_continued
    from sessions
    where sessions.status <> 'scheduled' and sessions.is_tutor_reschedule
    group by sessions.tutor_id, known_before

    union all

    select
        pairs.tutor_id,
        pairs.first_session_on as known_before,
        0 as sessions,
        0 as tutor_reschedules,
        0 as tutor_no_shows,
        0 as ratings,
        0 as rating_sum,
        count(*) as first_meetings,
        count(*) filter (where pairs.is_continued) as first_meetings_continued
    from pairs
    group by pairs.tutor_id, pairs.first_session_on

    union all

    -- Days on which sessions were booked that a model learns from, and tomorrow: nothing happened, but somebody asks.
    select distinct
        sessions.tutor_id,
        {{ booked_on('sessions') }} as known_before,
        0 as sessions,
        0 as tutor_reschedules,
        0 as tutor_no_shows,
        0 as ratings,
        0 as rating_sum,
        0 as first_meetings,
        0 as first_meetings_continued
    from sessions
    inner join as_of on sessions.scheduled_on > as_of.as_of - {{ var('session_training_days') }}

    union all

    select distinct
        sessions.tutor_id,
        as_of.as_of + 1 as known_before,
        0 as sessions,
        0 as tutor_reschedules,
        0 as tutor_no_shows,
        0 as ratings,
        0 as rating_sum,
        0 as first_meetings,
        0 as first_meetings_continued
    from sessions
    cross join as_of
),

days as (
    select
        tutor_id,
        known_before,
        sum(sessions) as sessions,
        sum(tutor_reschedules) as tutor_reschedules,
        sum(tutor_no_shows) as tutor_no_shows,
        sum(ratings) as ratings,
        sum(rating_sum) as rating_sum,
        sum(first_meetings) as first_meetings,
        sum(first_meetings_continued) as first_meetings_continued
    from entries
    group by tutor_id, known_before
),

histories as (
    select
        tutor_id,
        known_before,
        coalesce(sum(sessions) over last_90_days, 0) as sessions,
        coalesce(sum(tutor_reschedules) over last_90_days, 0) as tutor_reschedules,
        coalesce(sum(tutor_no_shows) over last_90_days, 0) as tutor_no_shows,
        coalesce(sum(ratings) over last_90_days, 0) as ratings,
        coalesce(sum(rating_sum) over last_90_days, 0) as rating_sum,
        coalesce(sum(first_meetings) over settled_meetings, 0) as first_meetings,
        coalesce(sum(first_meetings_continued) over settled_meetings, 0) as first_meetings_continued
    from days
    window
        last_90_days as (
            partition by tutor_id order by {{ day_number('known_before') }}
            range between 90 preceding and 1 preceding
        ),
        -- Whether a first meeting was continued is known once its 30 days are over.
        settled_meetings as (
            partition by tutor_id order by {{ day_number('known_before') }}
            range between
            {{ var("first_session_window_days") | int }} preceding
            and {{ var("first_session_follow_up_days") | int + 1 }} preceding
        )
),

final as (
    select
        tutor_id,
        known_before,
        sessions::bigint as tutor_sessions_90d,
        {{ shrunk_rate('tutor_reschedules', 'sessions', var('let_down_fallback_prior')) }} as tutor_reschedule_rate,
        {{ shrunk_rate('tutor_no_shows', 'sessions', var('no_show_fallback_prior')) }} as tutor_no_show_rate,
        {{ shrunk_rate('first_meetings_continued', 'first_meetings', var('first_session_fallback_prior')) }}
            as tutor_continuation_rate,
        (rating_sum + {{ var('rating_prior_sessions') }} * {{ var('rating_fallback_mean') }})::double precision
        / (ratings + {{ var('rating_prior_sessions') }})::double precision as tutor_rating
    from histories
)

select * from final
