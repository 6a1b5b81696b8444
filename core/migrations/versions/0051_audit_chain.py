"""The audit log is a chain of hashes, says from which address something was done, and can be redacted and shortened."""

from alembic import op

revision = "0051"
down_revision = "0050"

COLUMNS = """
alter table app.audit_log
    add column address text,
    add column salt uuid not null default gen_random_uuid();
comment on column app.audit_log.address is 'Of the client; null at the command line and of what tutorq does by itself.';
comment on column app.audit_log.salt is
    'Part of what is hashed, so that the hash of an entry that was redacted cannot be guessed at.';
grant insert (address) on app.audit_log to tutorq_api, tutorq_transform;
"""

CHAIN = """
create table app.audit_chain (
    place bigint primary key check (place > 0),
    entry_id bigint not null unique,
    digest bytea not null check (length(digest) = 32),
    hash bytea not null check (length(hash) = 32)
);
comment on table app.audit_chain is
    'One link per entry of app.audit_log, in the order of commits. A trigger adds it when the entry is committed.';
comment on column app.audit_chain.digest is 'SHA-256 of the entry as it was written (app.audit_text).';
comment on column app.audit_chain.hash is
    'SHA-256 of the hash before (32 zero bytes at the start), the place as 8 bytes, and the digest.';

create function app.audit_text(entry app.audit_log) returns text
language sql stable set search_path = pg_catalog as $$
    select jsonb_build_array(
        entry.entry_id, (extract(epoch from entry.happened_at) * 1000000)::bigint, entry.actor, entry.action,
        entry.subject_kind, entry.subject_id, entry.details, entry.address, entry.salt
    )::text
$$;
comment on function app.audit_text(app.audit_log) is 'All of an entry, as it is hashed.';

create function app.audit_digest(entry app.audit_log) returns bytea
language sql stable set search_path = pg_catalog as $$
    select sha256(convert_to(app.audit_text(entry), 'UTF8'))
$$;

create function app.chain_audit_entry(entry_id bigint, digest bytea) returns void
language plpgsql set search_path = pg_catalog as $$
declare
    last record;
begin
    select chain.place, chain.hash into last from app.audit_chain as chain order by chain.place desc limit 1;
    insert into app.audit_chain (place, entry_id, digest, hash)
    select
        next.place, entry_id, digest,
        sha256(coalesce(last.hash, decode(repeat('00', 32), 'hex')) || int8send(next.place) || digest)
    from (select coalesce(last.place, 0) + 1 as place) as next;
end
$$;

-- When the deed is committed: the lock is held for that moment alone, and is the last one to be taken.
create function app.chain_audit() returns trigger
language plpgsql security definer set search_path = pg_catalog as $$
begin
    perform pg_advisory_xact_lock(7461090);
    perform app.chain_audit_entry(new.entry_id, app.audit_digest(new));
    return null;
end
$$;
revoke all on function
    app.audit_text(app.audit_log), app.audit_digest(app.audit_log), app.chain_audit_entry(bigint, bytea),
    app.chain_audit()
from public;

select app.chain_audit_entry(entry.entry_id, app.audit_digest(entry))
from (select * from app.audit_log order by entry_id) as entry;

create constraint trigger chained after insert on app.audit_log
    deferrable initially deferred for each row execute function app.chain_audit();
"""

CHANGES = """
create function app.refuse_audit_change() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
    if tg_op = 'TRUNCATE' or coalesce(current_setting('tutorq.audit_change', true), '') <> 'on' then
        raise insufficient_privilege using message = format('%I.%I is append-only', tg_table_schema, tg_table_name);
    end if;
    return null;
end
$$;
comment on function app.refuse_audit_change() is
    'Refuses every change but those of app.redact_audit and app.forget_audit, which leave an entry of their own.';
revoke all on function app.refuse_audit_change() from public;
drop trigger append_only on app.audit_log;
create trigger append_only before update or delete or truncate on app.audit_log
    for each statement execute function app.refuse_audit_change();
create trigger append_only before update or delete or truncate on app.audit_chain
    for each statement execute function app.refuse_audit_change();

create function app.redact_audit(
    entry_ids bigint[], redacted_by text, actor_instead text, subject_instead text
) returns bigint
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    redacted bigint;
begin
    perform set_config('tutorq.audit_change', 'on', true);
    with blank as (
        update app.audit_log as entry
        set
            details = '{"redacted": true}', address = null, salt = gen_random_uuid(),
            actor = coalesce(actor_instead, entry.actor), subject_id = coalesce(subject_instead, entry.subject_id)
        where entry.entry_id = any(entry_ids) and entry.action not in ('audit.redact', 'audit.forget')
        returning entry.entry_id, app.audit_digest(entry) as digest
    ),

    noted as (
        insert into app.audit_log (actor, action, subject_kind, subject_id, details)
        select
            redacted_by, 'audit.redact', 'audit_entry', blank.entry_id::text,
            jsonb_build_object('sha256', encode(blank.digest, 'hex'))
        from blank
        order by blank.entry_id
        returning entry_id
    )

    select count(*) into redacted from noted;
    perform set_config('tutorq.audit_change', 'off', true);
    return redacted;
end
$$;
comment on function app.redact_audit(bigint[], text, text, text) is
    'Empties the details and the address of entries, and notes for each of them the digest that it has since.';

create function app.forget_audit(kept interval) returns bigint
language plpgsql volatile strict security definer set search_path = pg_catalog, pg_temp as $$
declare
    until record;
    gone bigint;
begin
    -- Deleted from the front, without a gap; the last link stays, because the next one is hung on it.
    select chain.place, chain.hash into until
    from app.audit_chain as chain
    where chain.place < (
        select coalesce(min(young.place), (select max(place) from app.audit_chain))
        from app.audit_chain as young
        inner join app.audit_log as entry on entry.entry_id = young.entry_id
        where entry.happened_at >= now() - greatest(kept, interval '90 days')
    )
    order by chain.place desc
    limit 1;
    if not found then
        return 0;
    end if;
    perform set_config('tutorq.audit_change', 'on', true);
    delete from app.audit_log as entry using app.audit_chain as chain
    where entry.entry_id = chain.entry_id and chain.place <= until.place;
    delete from app.audit_chain where place <= until.place;
    get diagnostics gone = row_count;
    perform set_config('tutorq.audit_change', 'off', true);
    insert into app.audit_log (actor, action, subject_kind, subject_id, details)
    values (
        'tutorq', 'audit.forget', 'audit_log', until.place::text,
        jsonb_build_object('entries', gone, 'hash', encode(until.hash, 'hex'))
    );
    return gone;
end
$$;
comment on function app.forget_audit(interval) is
    'Deletes entries older than that, and notes the hash on which the rest of the chain hangs. Returns their number.';
revoke all on function app.redact_audit(bigint[], text, text, text), app.forget_audit(interval) from public;
grant execute on function app.forget_audit(interval) to tutorq_transform;
"""

UNDO = """
drop trigger append_only on app.audit_log;
create trigger append_only before update or delete or truncate on app.audit_log
    for each statement execute function app.refuse_change();
drop function app.forget_audit(interval), app.redact_audit(bigint[], text, text, text);
drop trigger chained on app.audit_log;
drop table app.audit_chain;
drop function app.refuse_audit_change(), app.chain_audit(), app.chain_audit_entry(bigint, bytea);
drop function app.audit_digest(app.audit_log), app.audit_text(app.audit_log);
alter table app.audit_log drop column address, drop column salt;
"""


def upgrade() -> None:
    for block in (COLUMNS, CHAIN, CHANGES):
        op.execute(block)


def downgrade() -> None:
    op.execute(UNDO)
