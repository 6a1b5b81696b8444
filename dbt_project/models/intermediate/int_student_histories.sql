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

entries as (
    select
        student_id,
        first_session_on as known_before,
        count(*) as first_meetings,
        count(*) filter (where is_continued) as first_meetings_continued
    from pairs
    group by student_id, first_session_on

    union all

    select distinct
        pairs.student_id,
        as_of.as_of + 1 as known_before,
        0 as first_meetings,
        0 as first_meetings_continued
    from pairs
    cross join as_of
),

days as (
    select
        student_id,
        known_before,
        sum(first_meetings) as first_meetings,
        sum(first_meetings_continued) as first_meetings_continued
    from entries
    group by student_id, known_before
),

histories as (
    select
        student_id,
        known_before,
        coalesce(sum(first_meetings) over earlier_meetings, 0) as first_meetings,
        coalesce(sum(first_meetings) over settled_meetings, 0) as settled_meetings,
        coalesce(sum(first_meetings_continued) over settled_meetings, 0) as settled_meetings_continued
    from days
    window
        earlier_meetings as (
            partition by student_id order by {{ day_number('known_before') }}
            range between unbounded preceding and 1 preceding
        ),
        -- Whether a first meeting was continued is known once its 30 days are over.
        settled_meetings as (
            partition by student_id order by {{ day_number('known_before') }}
            range between unbounded preceding and {{ var("first_session_follow_up_days") | int + 1 }} preceding
        )
),

final as (
    select
        student_id,
        known_before,
        first_meetings::bigint as student_first_meetings,
        {{ shrunk_rate('settled_meetings_continued', 'settled_meetings', var('first_session_fallback_prior')) }}
            as student_continuation_rate
    from histories
)

select * from final
