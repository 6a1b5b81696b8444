"""Sessions that were deleted stay deleted (decision 54), and rows in quarantine are found by their id."""

from alembic import op

revision = "0029"
down_revision = "0028"

DELETED = """
create table raw.deleted_sessions (
    session_id uuid primary key,
    updated_at timestamptz not null,
    deleted_at timestamptz not null default now()
);
comment on table raw.deleted_sessions is
    'One row per session that was ever deleted. Versions of it, and of its moves, up to updated_at are left out.';
comment on column raw.deleted_sessions.updated_at is
    'Version of the deletion: when it happened, or the version of what was deleted if that is newer.';
grant select on raw.deleted_sessions to tutorq_ingest;
grant select, insert, update on raw.deleted_sessions to tutorq_api;
grant delete on raw.sessions, raw.reschedules, raw.deleted_sessions, raw.quarantine to tutorq_api;
grant select on raw.loads to tutorq_api;
create index loads_started_at on raw.loads (started_at);
"""

# The merges leave deleted versions out by themselves. This is for a writer that began before the deletion was
# committed and waited for it: its statement does not see the deletion, and the trigger, which runs after it, does.
REMOVE_DELETED = """
create function raw.remove_deleted() returns trigger
language plpgsql security definer set search_path = pg_catalog as $$
begin
    if exists (select from raw.deleted_sessions) then
        execute format(
            'delete from raw.%I as stored using new_rows as new, raw.deleted_sessions as deleted '
            'where stored.session_id = new.session_id and deleted.session_id = new.session_id '
            'and coalesce(stored.updated_at, ''-infinity'') <= deleted.updated_at', tg_table_name
        );
    end if;
    return null;
end
$$;
comment on function raw.remove_deleted() is 'Takes rows out that are no newer than the deletion of their session.';
revoke all on function raw.remove_deleted() from public;
"""
TABLES = ("sessions", "reschedules")

# By the name of the key's column in any spelling, because content is kept as it was delivered.
DELIVERED_ID = """
create function raw.delivered_id(entity text, content text) returns text
language plpgsql immutable parallel safe set search_path = pg_catalog as $$
begin
    return (
        -- No id is longer; what stands in its place may be, and an index has no room for that.
        select left(trim(value), 200)
        from json_each_text(content::json)
        where regexp_replace(lower(key), '[^a-z]', '', 'g')
            = case entity when 'tutors' then 'tutorid' when 'students' then 'studentid' else 'sessionid' end
        limit 1
    );
exception when others then
    return null;  -- not JSON, or no object
end
$$;
comment on function raw.delivered_id(text, text) is
    'The id in the content of a row in quarantine, as delivered; null if there is none to be read.';
revoke all on function raw.delivered_id(text, text) from public;
grant execute on function raw.delivered_id(text, text) to tutorq_ingest, tutorq_api;

alter table raw.quarantine
    add column delivered_id text generated always as (raw.delivered_id(entity, content)) stored;
create index quarantine_delivered_id on raw.quarantine (delivered_id);
comment on column raw.quarantine.delivered_id is 'Id of tutor, student or session, as delivered; null if unreadable.';
"""

UNDO = """
alter table raw.quarantine drop column delivered_id;
drop function raw.delivered_id(text, text);
drop trigger sessions_remove_deleted on raw.sessions;
drop trigger reschedules_remove_deleted on raw.reschedules;
drop function raw.remove_deleted();
drop index raw.loads_started_at;
revoke select on raw.loads from tutorq_api;
revoke delete on raw.sessions, raw.reschedules, raw.quarantine from tutorq_api;
drop table raw.deleted_sessions;
"""


def upgrade() -> None:
    op.execute(DELETED)
    op.execute(REMOVE_DELETED)
    for table in TABLES:
        op.execute(
            f"create trigger {table}_remove_deleted after insert on raw.{table} "
            "referencing new table as new_rows for each statement execute function raw.remove_deleted()"
        )
    op.execute(DELIVERED_ID)


def downgrade() -> None:
    op.execute(UNDO)
