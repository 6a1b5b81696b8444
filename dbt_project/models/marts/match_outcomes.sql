-- The key is an index and no constraint: a constraint would have to be there before the rows, and slows them down.

{{ config(tags=['matching'], indexes=[{'columns': ['tutor_id', 'student_id'], 'unique': true}]) }}

with as_of as (
    select * from {{ ref('int_as_of') }}
),

pairs as (
    select * from {{ ref('int_pairs') }}
),

sessions as (
    select * from {{ ref('fct_sessions') }}
),

students as (
    select * from {{ ref('stg_raw__students') }}
),

tutors as (
    select * from {{ ref('stg_raw__tutors') }}
),

histories as (
    select * from {{ ref('int_pair_histories') }}
),

features as (
    select
        pairs.tutor_id,
        pairs.student_id,
        pairs.first_session_id,
        pairs.first_session_on,
        sessions.scheduled_time as first_session_at,
        histories.booked_on,
        sessions.subject,
        pairs.next_session_on,
        not pairs.is_continued as churned,
        ({{ mismatch('pace', 'students', 'tutors') }})::double precision as pace_mismatch,
        ({{ mismatch('style', 'students', 'tutors') }})::double precision as style_mismatch,
        ({{ mismatch('communication', 'students', 'tutors') }})::double precision as communication_mismatch,
        ({{ mismatch('age', 'students', 'tutors') }})::double precision as age_mismatch,
        students.age as student_age,
        students.urgency_level as student_urgency,
        histories.student_first_meetings,
        histories.student_pending_meetings,
        histories.student_continuation_rate,
        histories.student_sessions_per_pair,
        histories.student_rating_given,
        tutors.experience_years::double precision as tutor_experience_years,
        histories.tutor_sessions_90d,
        histories.tutor_let_down_rate,
        histories.tutor_reschedule_rate,
        histories.tutor_no_show_rate,
        histories.tutor_continuation_rate,
        histories.tutor_rating,
        histories.tutor_rating_all_time,
        (extract(epoch from sessions.scheduled_time - sessions.booked_at) / 3600)::double precision as lead_hours
    from pairs
    inner join as_of on pairs.first_session_on <= as_of.as_of - {{ var('first_session_follow_up_days') }}
    inner join sessions on pairs.first_session_id = sessions.session_id
    inner join students on pairs.student_id = students.student_id
    inner join tutors on pairs.tutor_id = tutors.tutor_id
    inner join histories on pairs.tutor_id = histories.tutor_id and pairs.student_id = histories.student_id
),

final as (
    select
        features.*,
        {{ compatibility_score({
            'pace': 'pace_mismatch',
            'style': 'style_mismatch',
            'communication': 'communication_mismatch',
            'age': 'age_mismatch',
        }) }} as compatibility_score
    from features
)

select * from final
