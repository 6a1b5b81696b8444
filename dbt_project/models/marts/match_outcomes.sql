-- The key is an index and no constraint: a constraint would have to be there before the rows, and slows them down.

{{ config(indexes=[{'columns': ['tutor_id', 'student_id'], 'unique': true}]) }}

with as_of as (
    select * from {{ ref('int_as_of') }}
),

pairs as (
    select * from {{ ref('int_pairs') }}
),

final as (
    select
        pairs.tutor_id,
        pairs.student_id,
        pairs.first_session_id,
        pairs.first_session_on,
        pairs.next_session_on,
        not pairs.is_continued as churned
    from pairs
    inner join as_of on pairs.first_session_on <= as_of.as_of - {{ var('first_session_follow_up_days') }}
)

select * from final
