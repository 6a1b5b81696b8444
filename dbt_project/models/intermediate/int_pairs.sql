{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook=["{{ keep_live_writers_out() }}", "{{ take_touched_pairs() }}"],
        post_hook=[
            "{{ analyze_after_bulk('touched') }}",
            "{{ create_redo('touched', {'tutor_id': 'tutor_id', 'student_id': 'student_id'}) }}",
        ],
        indexes=[
            {'columns': ['tutor_id', 'student_id'], 'unique': true},
            {'columns': ['first_session_on', 'tutor_id', 'is_continued']},
        ],
    )
}}

with sessions as (
    select * from {{ ref('int_session_facts') }}
    where
        status = 'completed'
        {% if is_incremental() %}
            and (tutor_id, student_id) in (
                select
                    touched.tutor_id,
                    touched.student_id
                from touched
            )
        {% endif %}
),

numbered as (
    select
        tutor_id,
        student_id,
        session_id,
        scheduled_on,
        row_number() over (partition by tutor_id, student_id order by scheduled_time, session_id) as meeting
    from sessions
),

firsts as (
    select * from numbered
    where meeting = 1
),

seconds as (
    select * from numbered
    where meeting = 2
),

final as (
    select
        firsts.tutor_id,
        firsts.student_id,
        firsts.session_id as first_session_id,
        firsts.scheduled_on as first_session_on,
        seconds.scheduled_on as next_session_on,
        coalesce(
            seconds.scheduled_on <= firsts.scheduled_on + {{ var('first_session_follow_up_days') }}, false
        ) as is_continued
    from firsts
    left join seconds on firsts.tutor_id = seconds.tutor_id and firsts.student_id = seconds.student_id
)

select * from final
{# As they come by themselves from now on, so that the recent rows lie together. #}
{{ 'order by first_session_on' if not is_incremental() }}
