"""Connectors: bookings that took the place of others, and deletions that the loader may note."""

from alembic import op

revision = "0054"
down_revision = "0053"

MOVED = """
create table raw.moved_bookings (
    connector text not null,
    booking text not null,
    earlier text not null,
    requested_at timestamptz,
    original_time timestamptz,
    noted_at timestamptz not null default now(),
    primary key (connector, booking),
    check (booking <> earlier)
);
create index moved_bookings_earlier on raw.moved_bookings (connector, earlier);
comment on table raw.moved_bookings is
    'One row per booking of a booking tool that took the place of another one. Both are one session, with the id of '
    'the first. Polls and webhooks tell the same move with times that differ by moments: the first word stays.';
grant select, insert, update on raw.moved_bookings to tutorq_ingest, tutorq_api;
"""

# As api/session_records/commands.py does it, which also refreshes live scores; here the next run does.
DELETE = """
create function raw.delete_sessions(ids text[], actor text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    gone uuid[];
    total bigint;
begin
    select array_agg(id order by id) into gone
    from (
        select raw.entity_uuid(given.id) as id
        from unnest(ids) as given (id)
        union
        -- Of a lesson with several students each has a session, `id/student`.
        select session_id
        from raw.sessions
        where lesson_id = any(ids) and starts_with(external_id, lesson_id || '/')
    ) as named
    where id is not null;
    perform from raw.sessions where session_id = any(gone) order by session_id for update;
    insert into app.audit_log (actor, action, subject_kind, subject_id, details)
    select
        delete_sessions.actor, 'session.delete', 'session', named.id::text,
        jsonb_build_object(
            'session', to_jsonb(stored),
            'moves', coalesce(
                (
                    select jsonb_agg(to_jsonb(move) - '{session_id, move_time, reason}'::text[] order by move_time)
                    from raw.reschedules as move
                    where move.session_id = named.id
                ),
                '[]'
            )
        )
    from unnest(gone) as named (id)
    left join raw.sessions as stored on named.id = stored.session_id
    where stored.session_id is not null or exists (select from raw.reschedules where session_id = named.id);
    -- Noted even if there is no such session yet: a file with an older version of it may still come.
    insert into raw.deleted_sessions as known (session_id, updated_at)
    select
        id,
        greatest(
            now(),
            (select updated_at from raw.sessions where session_id = id),
            (select max(updated_at) from raw.reschedules where session_id = id)
        )
    from unnest(gone) as given (id)
    on conflict (session_id) do update
    set updated_at = greatest(known.updated_at, excluded.updated_at), deleted_at = excluded.deleted_at
    where
        exists (select from raw.sessions where sessions.session_id = known.session_id)
        or exists (select from raw.reschedules where reschedules.session_id = known.session_id);
    delete from raw.reschedules where session_id = any(gone);
    delete from raw.sessions where session_id = any(gone);
    get diagnostics total = row_count;
    return total;
end
$$;
comment on function raw.delete_sessions(text[], text) is
    'Deletes sessions by their ids as delivered, or by that of the lesson from which they were split, and their moves, '
    'and notes that they are deleted. Leaves out what is no id. Returns how many there were. Once more changes '
    'nothing.';
revoke all on function raw.delete_sessions(text[], text) from public;
grant execute on function raw.delete_sessions(text[], text) to tutorq_ingest;
"""


def upgrade() -> None:
    op.execute(MOVED)
    op.execute(DELETE)


def downgrade() -> None:
    op.execute("drop function raw.delete_sessions(text[], text)")
    op.execute("drop table raw.moved_bookings")
