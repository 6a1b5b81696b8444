{{
    config(
        materialized='table',
        tags=['matching'],
        indexes=[{'columns': ['student_id', 'known_before'], 'unique': true}],
        post_hook="analyze {{ this }}",
    )
}}

with as_of as (
    select * from {{ ref('int_as_of') }}
),

pairs as (
    select * from {{ ref('int_pairs') }}
),

sessions as (
    select * from {{ ref('int_session_facts') }}
),

-- Tomorrow.
asked as (
    select distinct
        pairs.student_id,
        as_of.as_of + 1 as known_before
    from pairs
    cross join as_of
),

{{ student_histories(since='(select as_of from as_of)') }}

select * from final
