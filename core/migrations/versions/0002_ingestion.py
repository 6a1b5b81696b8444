"""What the API needs to take sessions and excuses: remembered requests, and the right to write."""

from alembic import op

revision = "0002"
down_revision = "0001"

IDEMPOTENCY = """
create table app.idempotency_keys (
    api_key_id bigint not null references app.api_keys on delete cascade,
    idempotency_key text not null check (length(idempotency_key) between 1 and 255),
    request_sha256 bytea not null,
    answer text,
    created_at timestamptz not null default now(),
    primary key (api_key_id, idempotency_key)
);
create index on app.idempotency_keys (created_at);
comment on table app.idempotency_keys is
    'Requests that came with an Idempotency-Key, one row per API key and Idempotency-Key; kept for 24 hours.';
comment on column app.idempotency_keys.request_sha256 is
    'Of path and body; another request under the same key is refused.';
comment on column app.idempotency_keys.answer is
    'Body of the first answer. Written in the transaction that writes what was posted, so null is never seen.';
"""

COMMENTS = """
comment on column raw.quarantine.source is 'Name of the file, or api.';
comment on column raw.quarantine.line is
    'Line in the file, counted from 1 with the header; row number in Parquet; 0 for rows that were posted.';
"""

GRANTS = """
grant select, insert, update on raw.sessions, raw.reschedules, raw.tutors, raw.students, raw.quarantine to tutorq_api;
grant insert on raw.changes to tutorq_api;
grant insert, delete on app.excuses to tutorq_api;
grant insert on app.audit_log to tutorq_api;
grant select, insert, update, delete on app.idempotency_keys to tutorq_api;
"""

UNDO = """
revoke insert, delete on app.excuses from tutorq_api;
revoke insert on app.audit_log from tutorq_api;
revoke insert on raw.changes from tutorq_api;
revoke all on raw.sessions, raw.reschedules, raw.tutors, raw.students, raw.quarantine from tutorq_api;
drop table app.idempotency_keys;
comment on column raw.quarantine.source is null;
comment on column raw.quarantine.line is 'Line in the file, counted from 1 with the header; row number in Parquet.';
"""


def upgrade() -> None:
    for block in (IDEMPOTENCY, COMMENTS, GRANTS):
        op.execute(block)


def downgrade() -> None:
    op.execute(UNDO)
