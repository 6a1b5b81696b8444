"""What is told: how far events have been looked at, addresses of webhooks sealed, what is kept for how long; and pages
of tutors who have left."""

from alembic import op

revision = "0044"
down_revision = "0043"

# A look at all events of three days for each listener, every five seconds, is what this saves.
LOOKS = """
create table app.event_look (
    is_only boolean primary key default true check (is_only),
    history text not null,
    seen pg_snapshot not null,
    looked_at timestamptz not null default now()
);
comment on table app.event_look is
    'One row: each event that is visible in this snapshot of this history has been told to whom it was to be told.';

create function app.events_to_tell() returns setof app.events
language sql stable set search_path = pg_catalog as $$
    -- Listeners are told of what happened since they said so, and their own transaction may commit later than that.
    select * from app.events where created_at >= now() - interval '15 minutes'
    union
    select events.*
    from app.event_look as look
    inner join app.events on events.xact_id >= pg_snapshot_xmin(look.seen)
    where look.history = app.events_history() and not pg_visible_in_snapshot(events.xact_id, look.seen)
    union
    select * from app.events
    where not exists (select from app.event_look as look where look.history = app.events_history())
$$;
comment on function app.events_to_tell() is
    'Events that may have to be told: all but those of which is known that they have been (app.event_look).';
revoke all on function app.events_to_tell() from public;
grant select, insert, update on app.event_look to tutorq_transform;
grant execute on function app.events_history(), app.events_to_tell() to tutorq_transform;
"""

# The address stays in clear text until a process that has the key has sealed it.
WEBHOOKS = """
alter table app.webhook_endpoints
    add column host text,
    add column sealed_url text,
    alter column url drop not null;
update app.webhook_endpoints set host = substring(url from '^https?://([^/?]+)');
alter table app.webhook_endpoints
    alter column host set not null,
    add constraint webhook_endpoints_url_once_check check ((url is null) <> (sealed_url is null));
comment on column app.webhook_endpoints.sealed_url is
    'The address, encrypted with TUTORQ_SECRETS_KEY: its path may hold a secret.';
comment on column app.webhook_endpoints.host is 'What may be shown of the address.';
comment on column app.webhook_endpoints.url is 'Of one that an earlier version has stored, until it is sealed.';
"""

LEFT = """
create table app.departed_tutors (
    tutor_id uuid primary key,
    left_at timestamptz not null default now()
);
comment on table app.departed_tutors is
    'Tutors who are not active, and since when: for a while they can still open their page, and appeal.';
-- Of those who had left before, nobody knows when.
insert into app.departed_tutors (tutor_id) select tutor_id from raw.tutors where not is_active;

create function app.note_departed_tutors() returns trigger
language plpgsql security definer set search_path = pg_catalog as $$
begin
    insert into app.departed_tutors (tutor_id) select tutor_id from new_rows where not is_active
    on conflict do nothing;
    delete from app.departed_tutors as departed using new_rows
    where new_rows.tutor_id = departed.tutor_id and new_rows.is_active;
    return null;
end
$$;
comment on function app.note_departed_tutors() is 'Notes since when tutors are not active.';
revoke all on function app.note_departed_tutors() from public;
create trigger tutors_departed_insert after insert on raw.tutors
    referencing new table as new_rows for each statement execute function app.note_departed_tutors();
create trigger tutors_departed_update after update on raw.tutors
    referencing new table as new_rows for each statement execute function app.note_departed_tutors();

create function app.forget_departed_tutors() returns trigger
language plpgsql security definer set search_path = pg_catalog as $$
begin
    delete from app.departed_tutors as departed using old_rows where old_rows.tutor_id = departed.tutor_id;
    return null;
end
$$;
comment on function app.forget_departed_tutors() is 'Forgets tutors who are deleted.';
revoke all on function app.forget_departed_tutors() from public;
create trigger tutors_departed_delete after delete on raw.tutors
    referencing old table as old_rows for each statement execute function app.forget_departed_tutors();
grant select on app.departed_tutors to tutorq_api, tutorq_transform;
"""

APPEALS = """
alter table app.appeals
    add column link_made_by text,
    add column forgotten_at timestamptz,
    alter column text drop not null,
    drop constraint appeals_check1,
    add constraint appeals_decided_check check (
        (state in ('granted', 'declined')) = (decided_by is not null)
        and (answer is not null) = (decided_by is not null and forgotten_at is null)
    ),
    add constraint appeals_text_check1 check ((text is null) = (forgotten_at is not null)),
    add constraint appeals_forgotten_check check (forgotten_at is null or state <> 'open');
comment on column app.appeals.link_made_by is
    'Who made the link to the page from which it was sent, as in the audit log; mail if it was made for a mail.';
comment on column app.appeals.forgotten_at is 'When the words of the tutor and of the answer were deleted.';
grant insert (link_made_by) on app.appeals to tutorq_api;
"""

RETENTION = """
create function app.forget_words_of_appeals(kept interval) returns bigint
language sql volatile security definer set search_path = pg_catalog as $$
    with old as (
        update app.appeals set text = null, answer = null, forgotten_at = now()
        where settled_at < now() - kept and forgotten_at is null
        returning appeal_id
    ),

    mails as (
        update app.email_reports as mail
        set
            body_text = null,
            body_html = null,
            payload = mail.payload #- '{appeal,text}' #- '{appeal,answer}',
            state = case when mail.state in ('queued', 'sending') then 'suppressed' else mail.state end,
            settled_at = coalesce(mail.settled_at, now())
        from old
        where mail.topic in ('appeal_received:' || old.appeal_id, 'appeal_answer:' || old.appeal_id)
    )

    select count(*) from old
$$;
comment on function app.forget_words_of_appeals(interval) is
    'Deletes what tutors wrote, and what they were answered, of appeals that were settled so long ago, also from '
    'mails. What was appealed, what was decided, and by whom stays. Returns their number.';

create function app.forget_deliveries(kept interval) returns bigint
language sql volatile security definer set search_path = pg_catalog as $$
    -- Events are there for three days: until then a row says that its event has been told.
    with gone as (
        delete from app.email_reports
        where channel in ('chat', 'webhook') and settled_at < now() - greatest(kept, interval '7 days')
        returning report_id
    )

    select count(*) from gone
$$;
comment on function app.forget_deliveries(interval) is
    'Deletes chat messages and webhooks that were settled so long ago, with their attempts. Returns their number.';
revoke all on function app.forget_words_of_appeals(interval), app.forget_deliveries(interval) from public;
grant execute on function app.forget_words_of_appeals(interval), app.forget_deliveries(interval) to tutorq_transform;
create index email_reports_settled_idx on app.email_reports (settled_at) where channel in ('chat', 'webhook');
-- A message that is deleted is looked for there.
create index on app.notifications (report_id) where report_id is not null;
"""

UNDO = """
drop index app.email_reports_settled_idx;
drop index app.notifications_report_id_idx;
drop function app.forget_deliveries(interval);
drop function app.forget_words_of_appeals(interval);
alter table app.appeals
    drop constraint appeals_forgotten_check,
    drop constraint appeals_text_check1,
    drop constraint appeals_decided_check;
update app.appeals set text = '…' where text is null;
update app.appeals set answer = '…' where answer is null and decided_by is not null;
alter table app.appeals
    add constraint appeals_check1 check (
        (state in ('granted', 'declined')) = (decided_by is not null and answer is not null)
    ),
    alter column text set not null,
    drop column forgotten_at,
    drop column link_made_by;
drop trigger tutors_departed_delete on raw.tutors;
drop trigger tutors_departed_update on raw.tutors;
drop trigger tutors_departed_insert on raw.tutors;
drop function app.forget_departed_tutors();
drop function app.note_departed_tutors();
drop table app.departed_tutors;
delete from app.webhook_endpoints where url is null;
alter table app.webhook_endpoints
    drop constraint webhook_endpoints_url_once_check,
    drop column sealed_url,
    drop column host,
    alter column url set not null;
revoke execute on function app.events_history() from tutorq_transform;
drop function app.events_to_tell();
drop table app.event_look;
"""


def upgrade() -> None:
    for block in (LOOKS, WEBHOOKS, LEFT, APPEALS, RETENTION):
        op.execute(block)


def downgrade() -> None:
    op.execute(UNDO)
