-- The key is an index and no constraint: a constraint would have to be there before the rows, and slows them down.

{{ config(tags=['matching'], indexes=[{'columns': ['tutor_id', 'student_id'], 'unique': true}]) }}

{% set shares = {
    'pace': 'pace_mismatch / 4',
    'style': 'style_mismatch',
    'communication': 'communication_mismatch / 4',
    'age': 'least(age_mismatch, 50) / 50',
} %}

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

student_histories as (
    select * from {{ ref('int_student_histories') }}
),

tutor_histories as (
    select * from {{ ref('int_tutor_histories') }}
),

features as (
    select
        pairs.tutor_id,
        pairs.student_id,
        pairs.first_session_id,
        pairs.first_session_on,
        sessions.scheduled_time as first_session_at,
        sessions.subject,
        pairs.next_session_on,
        not pairs.is_continued as churned,
        -- A preference that one of the two has not stated makes its mismatch null.
        abs(students.preferred_pace - tutors.preferred_pace)::double precision as pace_mismatch,
        case
            when students.preferred_teaching_style is null or tutors.teaching_style is null then null
            when students.preferred_teaching_style = tutors.teaching_style then 0
            when 'flexible' in (students.preferred_teaching_style, tutors.teaching_style) then 0.5
            else 1
        end::double precision as style_mismatch,
        abs(students.communication_style - tutors.communication_style)::double precision as communication_mismatch,
        abs(students.age - tutors.age)::double precision as age_mismatch,
        students.age as student_age,
        students.urgency_level as student_urgency,
        student_histories.student_first_meetings,
        student_histories.student_continuation_rate,
        tutors.experience_years::double precision as tutor_experience_years,
        tutor_histories.tutor_sessions_90d,
        tutor_histories.tutor_reschedule_rate,
        tutor_histories.tutor_no_show_rate,
        tutor_histories.tutor_continuation_rate,
        tutor_histories.tutor_rating,
        (extract(epoch from sessions.scheduled_time - sessions.booked_at) / 3600)::double precision as lead_hours
    from pairs
    inner join as_of on pairs.first_session_on <= as_of.as_of - {{ var('first_session_follow_up_days') }}
    inner join sessions on pairs.first_session_id = sessions.session_id
    inner join students on pairs.student_id = students.student_id
    inner join tutors on pairs.tutor_id = tutors.tutor_id
    inner join student_histories
        on pairs.student_id = student_histories.student_id and pairs.first_session_on = student_histories.known_before
    inner join tutor_histories
        on pairs.tutor_id = tutor_histories.tutor_id and pairs.first_session_on = tutor_histories.known_before
),

-- 1 less the weighted mean of the mismatches, each as a share of the most it can be. What is unknown drops out and the
-- other weights are scaled up.
final as (
    select
        features.*,
        coalesce(1 - (
            {% for name, share in shares.items() %}
                {{ '+ ' if not loop.first }}
                case
                    when {{ name }}_mismatch is null then 0
                    else {{ var('match_' ~ name ~ '_weight') }} * {{ share }}
                end
            {% endfor %}
        )::double precision / nullif(
            {% for name in shares %}
                {{ '+ ' if not loop.first }}
                case when {{ name }}_mismatch is null then 0 else {{ var('match_' ~ name ~ '_weight') }} end
            {% endfor %}, 0
        )::double precision, {{ var('match_unknown_compatibility') }}) as compatibility_score
    from features
)

select * from final
