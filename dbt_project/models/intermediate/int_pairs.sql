{{
    config(
        materialized='incremental',
        queue={'from': 'intermediate.touched_pairs', 'key': {'tutor_id': 'tutor_id', 'student_id': 'student_id'}},
        gate=2,
        order_by='first_session_on',
        indexes=[
            {'columns': ['student_id', 'tutor_id'], 'unique': true},
            {'columns': ['tutor_id', 'first_session_on', 'is_continued']},
        ],
    )
}}

with sessions as (
    select * from {{ ref('int_session_facts') }}
    where status = 'completed'
),

meetings as (
    select
        tutor_id,
        student_id,
        array_agg(session_id order by scheduled_time, session_id) as session_ids,
        array_agg(scheduled_on order by scheduled_time, session_id) as meeting_days
    from sessions
    group by tutor_id, student_id
),

final as (
    select
        tutor_id,
        student_id,
        session_ids[1] as first_session_id,
        meeting_days[1] as first_session_on,
        meeting_days[2] as next_session_on,
        coalesce(meeting_days[2] <= meeting_days[1] + {{ var('first_session_follow_up_days') }}, false) as is_continued
    from meetings
)

select * from final
