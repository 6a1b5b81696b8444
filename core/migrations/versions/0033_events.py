"""Events: what has changed, for open pages, webhooks and chat."""

from alembic import op

revision = "0033"
down_revision = "0032"

EVENTS = """
create table app.events (
    event_id uuid primary key default gen_random_uuid(),
    xact_id xid8 not null default pg_current_xact_id(),
    created_at timestamptz not null default clock_timestamp(),
    kind text not null check (
        kind in (
            'publication.done', 'tutors.refreshed', 'tutor.concern_raised', 'tutor.concern_cleared', 'session.alert',
            'case.changed'
        )
    ),
    tutor_id uuid,
    payload jsonb not null default '{}'
);
create index events_xact_id on app.events (xact_id);
create unique index events_one_alert_per_session on app.events ((payload ->> 'session_id'))
    where kind = 'session.alert';
create index events_created_at on app.events (created_at);
comment on table app.events is
    'What has changed, each row written in the transaction of the change. Kept for days, not for ever (decision 58).';
comment on column app.events.xact_id is
    'The transaction that wrote it. Readers ask by snapshots, because a serial number is not the order of commits.';
comment on column app.events.tutor_id is 'The tutor whom it is about; null if it is about several or none.';
comment on column app.events.payload is 'What is told. Names of people and free text are not in it.';

create table app.forgotten_events (
    is_only boolean primary key default true check (is_only),
    xact_id xid8 not null default '0'
);
insert into app.forgotten_events default values;
comment on table app.forgotten_events is
    'One row: the newest transaction of which events were deleted. Readers who have seen less have missed something.';
"""

READING = """
create function app.events_since(seen pg_snapshot) returns setof app.events
language sql stable parallel safe set search_path = pg_catalog as $$
    select * from app.events
    where xact_id >= pg_snapshot_xmin(seen) and not pg_visible_in_snapshot(xact_id, seen)
$$;
comment on function app.events_since(pg_snapshot) is
    'Events that are visible now and were not visible in that snapshot: each one once for a reader who remembers the '
    'snapshot of each reading.';

-- A physical copy has another time line, a logical one another table.
create function app.events_history() returns text
language sql stable security definer set search_path = pg_catalog as $$
    select md5(
        concat_ws(
            ' ', (select system_identifier from pg_control_system()), left(pg_walfile_name(pg_current_wal_lsn()), 8),
            'app.events'::regclass::oid
        )
    )
$$;
comment on function app.events_history() is
    'Names the history that snapshots belong to: after a restore or a failover it is another one.';

create function app.forget_events() returns bigint
language sql volatile security definer set search_path = pg_catalog as $$
    with gone as (
        delete from app.events
        where
            created_at < now() - interval '3 days'
            or (kind = 'tutors.refreshed' and created_at < now() - interval '1 hour')
            -- Of another history: a restored row whose transaction has not happened here.
            or xact_id >= pg_snapshot_xmax(pg_current_snapshot())
        returning xact_id
    ),

    newest as (
        select xact_id from gone
        where xact_id < pg_snapshot_xmax(pg_current_snapshot())
        order by xact_id desc
        limit 1
    ),

    noted as (
        update app.forgotten_events as known
        set xact_id = newest.xact_id
        from newest
        where known.xact_id < newest.xact_id or known.xact_id >= pg_snapshot_xmax(pg_current_snapshot())
    )

    select count(*) from gone
$$;
comment on function app.forget_events() is
    'Deletes events that nobody needs any more, and notes up to which transaction. Returns their number.';
revoke all on function app.events_since(pg_snapshot), app.events_history(), app.forget_events() from public;
"""

WRITING = """
-- Postgres sends equal notifications of one transaction once.
create function app.announce_events() returns trigger
language plpgsql set search_path = pg_catalog as $$
begin
    perform pg_notify('tutorq_events', '');
    return null;
end
$$;
comment on function app.announce_events() is 'Wakes those who listen, when the transaction commits.';
revoke all on function app.announce_events() from public;
create trigger announce after insert on app.events for each statement execute function app.announce_events();

create function app.tell_case_events() returns trigger
language plpgsql security definer set search_path = pg_catalog as $$
begin
    -- Set by marts.keep_cases while it brings a history in.
    if current_setting('tutorq.untold', true) = 'on' then
        return null;
    end if;
    insert into app.events (kind, tutor_id, payload)
    select
        'case.changed',
        cases.tutor_id,
        jsonb_build_object(
            'case_id', happened.case_id,
            'what', happened.kind,
            'version', happened.version,
            'person_id', happened.person_id,
            'tutor_external_id', coalesce(tutors.external_id, cases.tutor_id::text)
        )
    from new_rows as happened
    inner join app.cases on cases.case_id = happened.case_id
    left join raw.tutors on tutors.tutor_id = cases.tutor_id
    where not happened.is_private;
    return null;
end
$$;
comment on function app.tell_case_events() is 'Puts what happened to cases into app.events, but for private notes.';
revoke all on function app.tell_case_events() from public;
create trigger tell after insert on app.case_events
    referencing new table as new_rows for each statement execute function app.tell_case_events();
"""

ROLES = """
grant select on app.events, app.forgotten_events to tutorq_api;
grant execute on function app.events_since(pg_snapshot), app.events_history(), app.forget_events() to tutorq_api;
grant select, insert (kind, tutor_id, payload) on app.events to tutorq_transform;
"""

UNDO = """
drop trigger tell on app.case_events;
drop function app.tell_case_events();
drop function app.forget_events();
drop function app.events_history();
drop function app.events_since(pg_snapshot);
drop table app.forgotten_events;
drop table app.events;
drop function app.announce_events();
"""


def upgrade() -> None:
    for block in (EVENTS, READING, WRITING, ROLES):
        op.execute(block)


def downgrade() -> None:
    op.execute(UNDO)
