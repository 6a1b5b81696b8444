"""API keys end by themselves and are replaced with an overlap; proxies that nobody declared are noted."""

from alembic import op

revision = "0015"
down_revision = "0014"

KEYS = """
alter table app.api_keys
    add column expires_at timestamptz,
    add column replaced_by bigint references app.api_keys on delete set null;
comment on column app.api_keys.expires_at is 'From this moment on the key is refused; null if it has no end.';
comment on column app.api_keys.replaced_by is
    'The key of the same name that took this one''s place; this one works on until expires_at.';

-- During a rotation two keys have one name.
drop index app.api_keys_name_in_use;
create unique index api_keys_name_in_use on app.api_keys (name) where revoked_at is null and replaced_by is null;
"""

PROXIES = """
create table app.undeclared_proxies (
    address text primary key,
    last_seen_at timestamptz not null default now()
);
comment on table app.undeclared_proxies is
    'Addresses that sent X-Forwarded-For and are not in TUTORQ_TRUSTED_PROXIES, as the API noticed them; '
    'tutorq doctor tells of them.';
grant select, insert, update, delete on app.undeclared_proxies to tutorq_api;
"""

UNDO = """
drop table app.undeclared_proxies;
drop index app.api_keys_name_in_use;
-- One key of a name stays: the newest.
update app.api_keys set revoked_at = now() where replaced_by is not null and revoked_at is null;
create unique index api_keys_name_in_use on app.api_keys (name) where revoked_at is null;
alter table app.api_keys drop column replaced_by, drop column expires_at;
"""


def upgrade() -> None:
    for block in (KEYS, PROXIES):
        op.execute(block)


def downgrade() -> None:
    op.execute(UNDO)
