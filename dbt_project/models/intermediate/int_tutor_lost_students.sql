-- With a tutor's id it reads this tutor's rows by index.

with dates as (
    select * from {{ ref('int_concern_dates') }}
),

pairs as (
    select * from {{ ref('int_pairs') }}
),

final as (
    select
        dates.concern_day,
        dates.is_as_of,
        pairs.tutor_id,
        count(*) as first_meetings,
        count(*) filter (where not pairs.is_continued) as first_meetings_lost
    from dates
    inner join pairs
        on
            pairs.first_session_on > dates.concern_day - {{ var('first_session_window_days') }}
            and pairs.first_session_on <= dates.concern_day - {{ var('first_session_follow_up_days') }}
    group by dates.concern_day, dates.is_as_of, pairs.tutor_id
)

select * from final
