"""People are erased, and do not come back: keyed hashes of their ids, and what an admin has asked for."""

from alembic import op

from core import locks

revision = "0050"
down_revision = "0049"

TABLES = """
create table raw.erased_ids (
    id_hash bytea primary key,
    kind text not null check (kind in ('key', 'tutor', 'student', 'session')),
    person_hash bytea not null,
    erased_at timestamptz not null default now()
);
create index on raw.erased_ids (person_hash);
comment on table raw.erased_ids is
    'Keyed hashes of ids of tutors and students who were erased, and of their sessions: rows that name them are '
    'refused. The key (TUTORQ_ERASURE_KEY) is not in the database.';
comment on column raw.erased_ids.kind is
    'Of what it is the id; `key`: of nothing, it tells whether a process has the key.';
comment on column raw.erased_ids.person_hash is 'The hash of the person whose erasure it belongs to.';
grant select on raw.erased_ids to tutorq_ingest, tutorq_api;
-- An admin lets an id in again, and files that were loaded before are then read once more.
grant delete on raw.erased_ids to tutorq_api;
grant update (checksum) on raw.loads to tutorq_api;

create table app.erasures (
    erasure_id bigint generated always as identity primary key,
    kind text not null check (kind in ('tutor', 'student')),
    person_id uuid,
    delivered text,
    asked_by text not null,
    asked_at timestamptz not null default now(),
    done_at timestamptz,
    counts jsonb not null default '{}',
    check ((person_id is null) = (done_at is not null)),
    check (delivered is null or done_at is null)
);
create unique index on app.erasures (kind, person_id) where done_at is null;
comment on table app.erasures is
    'Erasures that were asked for over the API, and those that are done, which do not say of whom they were.';
comment on column app.erasures.person_id is 'Who is to be erased; null once that is done.';
comment on column app.erasures.delivered is
    'Their id as the marketplace sends it, where it is no UUID, as files have it. Null once that is done.';
comment on column app.erasures.counts is 'How many rows and files were deleted or changed, by table or folder.';
grant select, insert (kind, person_id, delivered, asked_by), update (delivered) on app.erasures to tutorq_api;
grant select on app.erasures to tutorq_transform;
"""

# The lock is held by every transaction that writes rows of people, until its end. An erasure does not wait with it, so
# nobody waits for an erasure; it looks who holds it.
AMONG = f"""
create function raw.erased_among(hashes bytea[]) returns setof bytea language plpgsql volatile
set search_path = pg_catalog as $$
begin
    perform pg_advisory_xact_lock_shared({locks.ERASED});
    if not exists (select from raw.erased_ids) then
        return;
    end if;
    if hashes is null then
        return query select id_hash from raw.erased_ids;
    else
        return query select id_hash from raw.erased_ids where id_hash = any(hashes);
        if not exists (select from raw.erased_ids where id_hash = hashes[1]) then
            return next ''::bytea;
        end if;
    end if;
end
$$;
comment on function raw.erased_among(bytea[]) is
    'Those of the hashes that are of erased ids; all, for null. The first hash is of the key itself: where it is '
    'unknown, the caller has another key than people were erased with, and an empty value is among the rows.';
revoke all on function raw.erased_among(bytea[]) from public;
grant execute on function raw.erased_among(bytea[]) to tutorq_ingest, tutorq_api;
"""

# Nobody but the owner of the table may change it anyway; the setting keeps the owner from doing so by mistake.
APPEND_ONLY = """
create or replace function app.refuse_change() returns trigger language plpgsql as $$
begin
    if tg_op <> 'TRUNCATE' and current_setting('tutorq.erasing', true) = 'on' then
        return null; -- of a trigger for each statement: it goes on
    end if;
    raise insufficient_privilege using message = format('%I.%I is append-only', tg_table_schema, tg_table_name);
end
$$;
"""

# By the job that deletes what is old, whose role may not touch these tables otherwise.
RETENTION = """
create function app.forget_quarantine(kept interval) returns bigint
language sql volatile security definer set search_path = pg_catalog as $$
    with gone as (delete from raw.quarantine where last_seen_at < now() - greatest(kept, interval '1 day') returning 1)
    select count(*) from gone
$$;
comment on function app.forget_quarantine(interval) is
    'Deletes rows of the quarantine that were last seen so long ago. Returns their number.';

create function app.forget_mail_texts(kept interval) returns bigint
language sql volatile security definer set search_path = pg_catalog as $$
    with old as (
        update app.email_reports as mail
        set
            body_text = null,
            body_html = null,
            error = null,
            -- Of whom it spoke stays to be found.
            payload = jsonb_build_object(
                'forgotten',
                (
                    select coalesce(jsonb_agg(distinct jsonb_build_object('tutor_id', tutor)), '[]')
                    from jsonb_array_elements(mail.tutor_ids) as tutor
                )
            )
        where
            channel = 'mail' and settled_at < now() - greatest(kept, interval '30 days') and not payload ? 'forgotten'
        returning 1
    )

    select count(*) from old
$$;
comment on function app.forget_mail_texts(interval) is
    'Deletes the texts of mail that was settled so long ago, and the figures that it was made from; when it was sent, '
    'to whom, and of which tutors stays. Returns the number of mails.';

revoke all on function app.forget_quarantine(interval), app.forget_mail_texts(interval) from public;
grant execute on function app.forget_quarantine(interval), app.forget_mail_texts(interval) to tutorq_transform;
"""

UNDO = """
drop function app.forget_mail_texts(interval), app.forget_quarantine(interval);
create or replace function app.refuse_change() returns trigger language plpgsql as $$
begin
    raise insufficient_privilege using message = format('%I.%I is append-only', tg_table_schema, tg_table_name);
end
$$;
drop table app.erasures;
drop function raw.erased_among(bytea[]);
drop table raw.erased_ids;
revoke update (checksum) on raw.loads from tutorq_api;
"""


def upgrade() -> None:
    for block in (TABLES, AMONG, APPEND_ONLY, RETENTION):
        op.execute(block)


def downgrade() -> None:
    op.execute(UNDO)
