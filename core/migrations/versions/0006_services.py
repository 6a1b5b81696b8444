"""What people at a browser need: log-ins."""

from alembic import op

revision = "0006"
down_revision = "0003"

LOG_IN = """
create table app.login_tokens (
    token_hash bytea primary key,
    name text not null check (length(trim(name)) > 0),
    role text not null check (role in ('read', 'admin')),
    created_at timestamptz not null default now(),
    expires_at timestamptz not null
);
comment on table app.login_tokens is
    'One-time links to the dashboard that have not been used; only a SHA-256 of the token is kept.';
comment on column app.login_tokens.name is 'What the session will be called.';

create table app.browser_sessions (
    browser_session_id bigint generated always as identity primary key,
    token_hash bytea not null unique,
    name text not null check (length(trim(name)) > 0),
    role text not null check (role in ('read', 'admin')),
    api_key_id bigint references app.api_keys on delete cascade,
    created_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now()
);
comment on table app.browser_sessions is
    'Browsers that are logged in to the dashboard; only a SHA-256 of the cookie is kept.';
comment on column app.browser_sessions.api_key_id is
    'The key that it was opened with, and ends with; null if it was a one-time link.';
"""

ROLES = """
grant select, delete on app.login_tokens to tutorq_api;
grant select, insert, update (last_seen_at), delete on app.browser_sessions to tutorq_api;
"""


def upgrade() -> None:
    for block in (LOG_IN, ROLES):
        op.execute(block)


def downgrade() -> None:
    op.execute("drop table app.browser_sessions, app.login_tokens")
