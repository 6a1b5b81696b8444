"""Idempotency-Keys of every POST, by whoever sends it."""

from alembic import op

revision = "0030"
down_revision = "0029"

OF_CALLERS = """
alter table app.idempotency_keys
    add column caller text,
    add column status smallint,
    add column headers jsonb;
update app.idempotency_keys set caller = 'key ' || api_key_id;
alter table app.idempotency_keys
    drop constraint idempotency_keys_pkey,
    drop column api_key_id,
    alter column caller set not null,
    add primary key (caller, idempotency_key);
comment on table app.idempotency_keys is
    'Requests that came with an Idempotency-Key, one row per caller and Idempotency-Key; kept for 24 hours.';
comment on column app.idempotency_keys.caller is 'Whose key it is: an API key, a person or a program.';
comment on column app.idempotency_keys.request_sha256 is
    'Of address and body; another request under the same key is refused.';
comment on column app.idempotency_keys.answer is
    'Body of the first answer. Null is never seen: the row is committed with it.';
comment on column app.idempotency_keys.status is 'Status of the first answer; null for posted sessions.';
comment on column app.idempotency_keys.headers is 'Headers of the first answer, as pairs; null for posted sessions.';
"""

UNDO = """
delete from app.idempotency_keys
where status is not null or caller !~ '^key [0-9]+$'
    or not exists (select from app.api_keys where 'key ' || key_id = caller);
alter table app.idempotency_keys add column api_key_id bigint references app.api_keys on delete cascade;
update app.idempotency_keys set api_key_id = substr(caller, 5)::bigint;
alter table app.idempotency_keys
    drop constraint idempotency_keys_pkey,
    drop column caller,
    drop column status,
    drop column headers,
    alter column api_key_id set not null,
    add primary key (api_key_id, idempotency_key);
"""


def upgrade() -> None:
    op.execute(OF_CALLERS)


def downgrade() -> None:
    op.execute(UNDO)
