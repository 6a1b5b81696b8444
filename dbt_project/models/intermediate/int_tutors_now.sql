{{
    config(
        materialized='incremental',
        tags=['matching'],
        indexes=[{'columns': ['tutor_id'], 'unique': true}],
    )
}}

with as_of as (
    select * from {{ ref('int_as_of') }}
),

histories as (
    select * from {{ ref('int_tutor_histories') }}
),

sessions as (
    select * from {{ ref('int_session_facts') }}
),

active_students as (
    select
        sessions.tutor_id,
        count(distinct sessions.student_id) as active_students
    from sessions
    cross join as_of
    where {{ is_active_pair('sessions', 'as_of.as_of') }}
    group by sessions.tutor_id
),

final as (
    select
        histories.tutor_id,
        as_of.as_of,
        histories.tutor_sessions_90d,
        histories.tutor_let_down_rate,
        histories.tutor_reschedule_rate,
        histories.tutor_no_show_rate,
        histories.tutor_continuation_rate,
        histories.tutor_rating,
        histories.tutor_rating_all_time,
        coalesce(active_students.active_students, 0) as active_students
    from histories
    inner join as_of on histories.known_before = as_of.as_of + 1
    left join active_students on histories.tutor_id = active_students.tutor_id
)

select * from final
