"""The audit log can be read by the API and changed by nobody; settings are remembered, so that changes are noticed."""

from alembic import op

revision = "0016"
down_revision = "0015"

# A trigger, because grants do not hold the owner back, and a process without a login of its own is the owner's.
AUDIT = """
create index on app.audit_log (happened_at);
comment on table app.audit_log is
    'Who did what by hand, and who was refused. Append-only: a trigger refuses every update, delete and truncate.';

create function app.refuse_change() returns trigger language plpgsql as $$
begin
    raise insufficient_privilege using message = format('%I.%I is append-only', tg_table_schema, tg_table_name);
end
$$;
revoke execute on function app.refuse_change() from public;
create trigger append_only before update or delete or truncate on app.audit_log
    for each statement execute function app.refuse_change();

-- Not entry_id and happened_at: nobody but the owner says when something happened.
revoke insert on app.audit_log from tutorq_api;
grant select, insert (actor, action, subject_kind, subject_id, details) on app.audit_log to tutorq_api;
grant insert (actor, action, subject_kind, subject_id, details) on app.audit_log to tutorq_transform;
"""

SETTINGS = """
create table app.known_settings (
    service text not null,
    name text not null,
    fingerprint text not null,
    shown text,
    primary key (service, name)
);
comment on table app.known_settings is
    'Settings that differ from their default, as a service last started with them. Compared at its next start, so that '
    'the audit log tells of changes.';
comment on column app.known_settings.fingerprint is
    'A salted scrypt hash of the value, if the value may be a secret; else the value''s SHA-256.';
comment on column app.known_settings.shown is 'The value; null if it may be a secret.';
grant select, insert, update, delete on app.known_settings to tutorq_api;
"""

UNDO = """
drop table app.known_settings;
revoke insert (actor, action, subject_kind, subject_id, details) on app.audit_log from tutorq_transform;
revoke select, insert (actor, action, subject_kind, subject_id, details) on app.audit_log from tutorq_api;
grant insert on app.audit_log to tutorq_api;
drop trigger append_only on app.audit_log;
drop function app.refuse_change();
drop index app.audit_log_happened_at_idx;
comment on table app.audit_log is 'Who changed what by hand, append-only.';
"""


def upgrade() -> None:
    for block in (AUDIT, SETTINGS):
        op.execute(block)


def downgrade() -> None:
    op.execute(UNDO)
