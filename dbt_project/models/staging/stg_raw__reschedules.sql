-- One of a session's moves: the tutor's earliest, or else the earliest; moves of an unknown time come last.
-- No CTEs, and no window: Postgres cannot look rows up by index in a view that has some, when it is joined.

select
    session_id,
    initiator,
    reason_code,
    reason,
    requested_at,
    {{ reporting_date('requested_at') }} as requested_on,
    original_time,
    new_time,
    updated_at,
    loaded_at
from {{ source('raw', 'reschedules') }} as moves
where
    not exists (
        select 1
        from {{ source('raw', 'reschedules') }} as other
        where
            other.session_id = moves.session_id
            and row(other.initiator <> 'tutor', coalesce(other.requested_at, 'infinity'), other.move_time)
            < row(moves.initiator <> 'tutor', coalesce(moves.requested_at, 'infinity'), moves.move_time)
    )
