{{
    config(
        materialized='table',
        tags=['matching'],
        indexes=[{'columns': ['tutor_id', 'known_before'], 'unique': true}],
        post_hook="analyze {{ this }}",
    )
}}

with as_of as (
    select * from {{ ref('int_as_of') }}
),

sessions as (
    select * from {{ ref('int_session_facts') }}
),

pairs as (
    select * from {{ ref('int_pairs') }}
),

-- The days on which sessions were booked that a model learns from, and tomorrow.
asked as (
    select
        sessions.tutor_id,
        {{ booked_on('sessions') }} as known_before
    from sessions
    inner join as_of on sessions.scheduled_on > as_of.as_of - {{ var('session_training_days') }}

    union

    select
        sessions.tutor_id,
        as_of.as_of + 1 as known_before
    from sessions
    cross join as_of
),

-- Of what is older only the ratings count, and all of them alike: so that days and windows do not follow the history.
beginning as (
    select min(known_before) - {{ [90, var('first_session_window_days') | int] | max + 1 }} as begins_on
    from asked
),

{{ tutor_histories(since='(select begins_on from beginning)') }}

select * from final
