{{
    config(
        materialized='table',
        tags=['matching'],
        indexes=[{'columns': ['subject', 'known_before'], 'unique': true}],
        post_hook="analyze {{ this }}",
    )
}}

with as_of as (
    select * from {{ ref('int_as_of') }}
),

sessions as (
    select * from {{ ref('int_session_facts') }}
    where subject is not null
),

entries as (
    select
        sessions.subject,
        sessions.scheduled_on as known_before,
        {{ is_missed_by_student('sessions') }} as is_missed
    from sessions
    where sessions.status <> 'scheduled'

    union all

    -- Days on which sessions were booked that a model learns from, and tomorrow: nothing happened, but somebody asks.
    select distinct
        sessions.subject,
        {{ booked_on('sessions') }} as known_before,
        null::boolean as is_missed
    from sessions
    inner join as_of on sessions.scheduled_on > as_of.as_of - {{ var('session_training_days') }}

    union all

    select distinct
        sessions.subject,
        as_of.as_of + 1 as known_before,
        null::boolean as is_missed
    from sessions
    cross join as_of
),

days as (
    select
        subject,
        known_before,
        count(is_missed) as trials,
        count(*) filter (where is_missed) as no_shows
    from entries
    group by subject, known_before
),

histories as (
    select
        subject,
        known_before,
        coalesce(sum(trials) over last_90_days, 0) as trials,
        coalesce(sum(no_shows) over last_90_days, 0) as no_shows
    from days
    window
        last_90_days as (
            partition by subject order by {{ day_number('known_before') }}
            range between 90 preceding and 1 preceding
        )
),

final as (
    select
        subject,
        known_before,
        {{ shrunk_rate('no_shows', 'trials', var('student_no_show_fallback_prior')) }} as subject_no_show_rate
    from histories
)

select * from final
