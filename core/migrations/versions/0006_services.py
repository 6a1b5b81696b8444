"""Log-ins of people at a browser, mail to look at as it was sent, and what became of it at the provider."""

from alembic import op

revision = "0006"
down_revision = "0005"

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

# Counted by state for every look at the metrics; listed with the newest first, of all or of one tutor: any that the
# payload speaks of, at any depth.
MAIL = """
alter table app.email_reports
    add column body_text text,
    add column body_html text,
    add column delivered_at timestamptz,
    add column tutor_ids jsonb not null
        generated always as (jsonb_path_query_array(payload, 'lax $.**.tutor_id')) stored;
create index on app.email_reports (created_at, report_id);
create index on app.email_reports (state);
create index on app.email_reports using gin (tutor_ids jsonb_path_ops);
comment on column app.email_reports.body_text is
    'As it was handed to the provider; null for mail that never got that far.';
comment on column app.email_reports.delivered_at is
    'When the receiver''s server took it, if the provider tells; settled_at is when the provider took it.';
comment on column app.email_reports.tutor_ids is 'Tutors that the mail speaks of, some perhaps twice.';
"""

EVENTS = """
create table app.mail_events (
    event_id text primary key,
    report_id uuid not null references app.email_reports on delete cascade,
    event text not null
        check (event in ('taken', 'delivered', 'bounced', 'blocked', 'dropped', 'spam', 'unsubscribed')),
    reason text,
    happened_at timestamptz not null,
    received_at timestamptz not null default now()
);
create index on app.mail_events (report_id);
create index on app.mail_events (received_at);
comment on table app.mail_events is
    'What the mail provider told of single mails, each event once; kept for 90 days.';
comment on column app.mail_events.event is
    'taken: by the provider; delivered: to the receiver''s server; bounced: for good; blocked: for now; '
    'dropped: by the provider.';
"""

ROLES = """
grant select, insert, delete on app.mail_events to tutorq_api;
grant update (state, error, delivered_at, settled_at) on app.email_reports to tutorq_api;
grant select, delete on app.login_tokens to tutorq_api;
grant select, insert, update (last_seen_at), delete on app.browser_sessions to tutorq_api;
"""


def upgrade() -> None:
    for block in (LOG_IN, MAIL, EVENTS, ROLES):
        op.execute(block)


def downgrade() -> None:
    op.execute("revoke update (state, error, delivered_at, settled_at) on app.email_reports from tutorq_api")
    op.execute("drop table app.mail_events")
    op.execute(
        "alter table app.email_reports drop column tutor_ids, drop column delivered_at, "
        "drop column body_html, drop column body_text"
    )
    op.execute("drop index app.email_reports_created_at_report_id_idx, app.email_reports_state_idx")
    op.execute("drop table app.browser_sessions, app.login_tokens")
