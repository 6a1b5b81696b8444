{{ config(materialized='view', tags=['matching']) }}

-- No CTEs: Postgres cannot look rows up by index in a view that has some, when it is joined.

select
    sessions.session_id,
    sessions.external_id,
    sessions.tutor_id,
    sessions.student_id,
    sessions.scheduled_time,
    sessions.subject,
    sessions.let_down_probability,
    sessions.student_no_show_probability,
    pairs.churn_probability,
    pairs.risk_level as churn_risk_level,
    -- That tutor or student fails it, or the student leaves after it. What is not predicted counts as no risk.
    1
    - (1 - coalesce(sessions.let_down_probability, 0))
    * (1 - coalesce(sessions.student_no_show_probability, 0)::double precision)
    * (1 - pairs.churn_probability::double precision) as first_session_risk,
    array_remove(
        array[
            case
                when students.student_first_meetings = 0 then 'The student''s first tutor.'
                when students.student_pending_meetings > 0
                    then 'The student has another new tutor, and no second session there yet.'
            end,
            case when students.urgency_level >= 4 then 'Urgency ' || students.urgency_level || ' of 5.' end,
            case
                when abs(students.preferred_pace - tutors.preferred_pace) >= 2
                    then
                        'Pace (1 slow, 5 fast): the student prefers ' || students.preferred_pace || ', the tutor '
                        || tutors.preferred_pace || '.'
            end,
            case
                when
                    students.preferred_teaching_style <> tutors.teaching_style
                    and 'flexible' not in (students.preferred_teaching_style, tutors.teaching_style)
                    then
                        'Style: the student prefers ' || students.preferred_teaching_style || ', the tutor '
                        || tutors.teaching_style || '.'
            end,
            case
                when abs(students.communication_style - tutors.communication_style) >= 2
                    then
                        'Communication (1 formal, 5 casual): the student prefers ' || students.communication_style
                        || ', the tutor ' || tutors.communication_style || '.'
            end,
            case
                when sessions.risk_level in ('medium', 'high')
                    then
                        'Chance that the tutor moves, cancels or misses it: '
                        || round(sessions.let_down_probability * 100) || '%.'
            end,
            case
                when sessions.student_risk_level in ('medium', 'high')
                    then
                        'Chance that the student does not come: '
                        || round(sessions.student_no_show_probability::double precision * 100) || '%.'
            end
        ], null
    ) as preparation
from {{ ref('upcoming_sessions') }} as sessions
left join {{ ref('match_students') }} as students on sessions.student_id = students.student_id
left join {{ ref('match_tutors') }} as tutors on sessions.tutor_id = tutors.tutor_id
left join {{ ref('match_predictions') }} as pairs
    on
        ml.student_bucket(sessions.student_id) = pairs.bucket
        and sessions.student_id = pairs.student_id
        and sessions.tutor_id = pairs.tutor_id
where sessions.is_first_meeting
