-- A move of an unknown time was known when its session was to take place, and takes its turn by that.
-- No CTEs, and no window: Postgres cannot look rows up by index in a view that has some, when it is joined.

select
    moves.session_id,
    moves.move_time,
    moves.initiator,
    moves.reason_code,
    moves.reason,
    moves.requested_at,
    moves.requested_on,
    moves.original_time,
    moves.new_time,
    moves.updated_at,
    moves.loaded_at,
    case
        when moves.initiator = 'tutor'
            then (
                -- Of several moves the one at the shortest notice; each gives up a time of its own.
                select min(coalesce(own.original_time, sessions.scheduled_time) - own.requested_at)
                from {{ ref('stg_raw__reschedules') }} as own
                where own.session_id = moves.session_id and own.initiator = 'tutor'
            )
        else coalesce(moves.original_time, sessions.scheduled_time) - moves.requested_at
    end as notice
from {{ ref('stg_raw__reschedules') }} as moves
inner join {{ ref('stg_raw__sessions') }} as sessions on moves.session_id = sessions.session_id
where
    not exists (
        select 1
        from {{ ref('stg_raw__reschedules') }} as other
        where
            other.session_id = moves.session_id
            and row(other.initiator <> 'tutor', coalesce(other.requested_at, sessions.scheduled_time), other.move_time)
            < row(moves.initiator <> 'tutor', coalesce(moves.requested_at, sessions.scheduled_time), moves.move_time)
    )
