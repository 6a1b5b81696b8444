"""The outbox carries chat and webhooks besides mail; webhook endpoints, and every attempt to reach one."""

from alembic import op

revision = "0034"
down_revision = "0033"

MAIL_KINDS = "'session_report', 'risk_alert', 'daily_digest', 'tutor_snapshot', 'alert', 'log_in_link'"
EVENT_KINDS = "'tutor.concern_raised', 'tutor.concern_cleared', 'session.alert', 'case.changed', 'publication.done'"

ENDPOINTS = f"""
create table app.webhook_endpoints (
    endpoint_id uuid primary key default gen_random_uuid(),
    url text not null check (url ~ '^https?://'),
    description text check (length(trim(description)) > 0),
    kinds text[] not null check (cardinality(kinds) > 0 and kinds <@ array[{EVENT_KINDS}]),
    sealed_secret text not null,
    old_sealed_secret text,
    old_secret_until timestamptz,
    state text not null default 'active' check (state in ('active', 'disabled')),
    disabled_why text,
    disabled_by text check (disabled_by in ('person', 'gone', 'failing')),
    active_since timestamptz not null default now(),
    failing_since timestamptz,
    failures integer not null default 0 check (failures >= 0),
    gone integer not null default 0 check (gone >= 0),
    created_by text not null,
    created_at timestamptz not null default now(),
    changed_at timestamptz not null default now(),
    check ((old_sealed_secret is null) = (old_secret_until is null)),
    check ((state = 'disabled') = (disabled_by is not null))
);
comment on table app.webhook_endpoints is 'Addresses that are told of events, and whether they still are.';
comment on column app.webhook_endpoints.sealed_secret is
    'The secret that signs, encrypted with TUTORQ_SECRETS_KEY; old_sealed_secret signs besides until old_secret_until.';
comment on column app.webhook_endpoints.active_since is 'Events from before are not told.';
comment on column app.webhook_endpoints.failing_since is 'The first failure since the last success.';
comment on column app.webhook_endpoints.failures is 'Failures since the last success.';
comment on column app.webhook_endpoints.gone is 'Answers 410 in a row.';
"""

OUTBOX = f"""
alter table app.email_reports
    add column channel text not null default 'mail' check (channel in ('mail', 'chat', 'webhook')),
    add column endpoint_id uuid references app.webhook_endpoints on delete set null,
    add column replays integer not null default 0 check (replays >= 0),
    add constraint email_reports_webhook_kind_check check (
        (channel = 'webhook') = (kind in ({EVENT_KINDS}, 'webhook.test'))
    ),
    drop constraint email_reports_kind_check,
    add constraint email_reports_kind_check check (channel = 'webhook' or kind in ({MAIL_KINDS}, 'notification'));
create index on app.email_reports (endpoint_id, created_at desc, report_id) where endpoint_id is not null;
comment on table app.email_reports is
    'Outbox and audit trail of mail, chat and webhooks: at most one accepted send per unique_key.';
comment on column app.email_reports.recipient is
    'Mail: the address. Chat: the service and a fingerprint of its URL, or whose it is. Webhook: the host.';
comment on column app.email_reports.endpoint_id is 'Webhooks only; null after the endpoint was deleted.';
comment on column app.email_reports.replays is 'How often a person had it sent again.';

alter table app.mail_opt_outs
    drop constraint mail_opt_outs_kind_check,
    add constraint mail_opt_outs_kind_check check (
        kind in ('session_report', 'risk_alert', 'daily_digest', 'tutor_snapshot', 'alert', 'notification')
    );

create table app.webhook_attempts (
    report_id uuid not null references app.email_reports on delete cascade,
    attempted_at timestamptz not null default clock_timestamp(),
    outcome text not null check (outcome in ('accepted', 'later', 'unknown')),
    answer_code integer,
    seconds double precision not null check (seconds >= 0),
    problem text,
    primary key (report_id, attempted_at)
);
comment on table app.webhook_attempts is 'Every attempt to deliver a webhook, and the code that the receiver answered.';
comment on column app.webhook_attempts.answer_code is 'Null if there was no answer.';
"""

ROLES = """
grant select, insert, update, delete on app.webhook_endpoints to tutorq_api;
grant select, update on app.webhook_endpoints to tutorq_transform;
grant select on app.webhook_attempts to tutorq_api;
grant select, insert on app.webhook_attempts to tutorq_transform;
grant insert (channel, endpoint_id), update (attempts, next_attempt_at, replays, endpoint_id) on app.email_reports
    to tutorq_api;
grant delete on app.mail_opt_outs to tutorq_api;
"""

UNDO = f"""
delete from app.email_reports where channel <> 'mail' or kind = 'notification';
delete from app.mail_opt_outs where kind = 'notification';
drop table app.webhook_attempts;
revoke update (attempts, next_attempt_at) on app.email_reports from tutorq_api;
revoke delete on app.mail_opt_outs from tutorq_api;
alter table app.email_reports
    drop constraint email_reports_kind_check,
    drop column channel,
    drop column endpoint_id,
    drop column replays,
    add constraint email_reports_kind_check check (kind in ({MAIL_KINDS}));
alter table app.mail_opt_outs
    drop constraint mail_opt_outs_kind_check,
    add constraint mail_opt_outs_kind_check check (
        kind in ('session_report', 'risk_alert', 'daily_digest', 'tutor_snapshot', 'alert')
    );
drop table app.webhook_endpoints;
"""


def upgrade() -> None:
    for block in (ENDPOINTS, OUTBOX, ROLES):
        op.execute(block)


def downgrade() -> None:
    op.execute(UNDO)
