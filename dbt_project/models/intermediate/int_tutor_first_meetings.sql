with scoring_days as (
    select * from {{ ref('int_scoring_days') }}
),

pairs as (
    select * from {{ ref('int_pairs') }}
),

final as (
    select
        scoring_days.as_of,
        pairs.tutor_id,
        count(*) as first_meetings,
        count(*) filter (where pairs.is_continued) as first_meetings_continued
    from scoring_days
    inner join pairs
        on
            pairs.first_session_on > scoring_days.as_of - {{ var('first_session_window_days') }}
            and pairs.first_session_on <= scoring_days.as_of - {{ var('first_session_follow_up_days') }}
    group by scoring_days.as_of, pairs.tutor_id
)

select * from final
