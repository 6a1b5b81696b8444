{{ config(materialized='view') }}

-- No CTEs: Postgres cannot look rows up by index in a view that has some, when it is joined.

select
    moves.session_id,
    moves.move_time,
    sessions.tutor_id,
    sessions.student_id,
    sessions.subject,
    moves.initiator,
    moves.reason_code,
    moves.reason,
    moves.requested_at,
    moves.requested_on,
    moves.original_time,
    moves.new_time,
    (extract(epoch from coalesce(moves.original_time, sessions.scheduled_time) - moves.requested_at) / 3600)
    ::double precision as notice_hours,
    sessions.is_excused,
    moves.initiator = 'tutor'
    and not sessions.is_excused
    and coalesce(
        coalesce(moves.original_time, sessions.scheduled_time) - moves.requested_at
        < {{ var('short_notice_hours') }} * interval '1 hour', false
    ) as is_short_notice,
    sessions.counted_on
from {{ ref('stg_raw__reschedules') }} as moves
inner join {{ ref('int_session_facts') }} as sessions on moves.session_id = sessions.session_id
