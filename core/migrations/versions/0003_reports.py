"""What report mail needs besides its outbox: claims, opt-outs, and what has been told already."""

from alembic import op

revision = "0003"
down_revision = "0002"

OUTBOX = """
alter table app.email_reports
    add column topic text not null,
    add column claim_id uuid,
    add column claimed_at timestamptz;
create index on app.email_reports (topic);
create index on app.email_reports (claimed_at) where state = 'sending';
comment on column app.email_reports.topic is
    'What the mail is about, whoever gets it; unique_key is the topic and the address.';
comment on column app.email_reports.claim_id is 'The attempt that may write a verdict.';

create table app.mail_suppressions (
    address text primary key check (address = lower(address)),
    reason text not null check (length(trim(reason)) > 0),
    created_at timestamptz not null default now()
);
comment on table app.mail_suppressions is 'Addresses that get no mail at all: bounces, complaints, people who left.';

create table app.mail_opt_outs (
    address text not null check (address = lower(address)),
    kind text not null check (kind in ('session_report', 'risk_alert', 'daily_digest', 'tutor_snapshot', 'alert')),
    created_at timestamptz not null default now(),
    primary key (address, kind)
);
comment on table app.mail_opt_outs is 'Kinds of mail that somebody does not want.';
"""

MEMORY = """
create table app.report_switches (
    switch text primary key,
    on_since timestamptz not null default now()
);
comment on table app.report_switches is
    'Since when each kind of report is on in this installation. What happened before is not mailed.';

create table app.risk_alert_states (
    tutor_id uuid primary key,
    alerted_status text not null check (alerted_status in ('watch', 'high_risk')),
    alerted_on date not null,
    last_flagged_on date not null
);
comment on table app.risk_alert_states is
    'Tutors whose flag has been told. A row goes once the tutor has been fine for a week, so that a status '
    'that goes to and fro is told once.';

create table app.alert_conditions (
    condition text primary key,
    first_seen_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    alerted_at timestamptz
);
comment on table app.alert_conditions is 'Troubles of the platform that last; each is told once while it does.';
"""

# Recent sessions are looked for after every publication.
RECENT_SESSIONS = "create index on raw.sessions (scheduled_time)"

ROLES = """
grant insert, select on app.mail_opt_outs, app.mail_suppressions to tutorq_api;
"""


def upgrade() -> None:
    for block in (OUTBOX, MEMORY, RECENT_SESSIONS, ROLES):
        op.execute(block)


def downgrade() -> None:
    op.execute("drop table app.alert_conditions, app.risk_alert_states, app.report_switches")
    op.execute("drop table app.mail_opt_outs, app.mail_suppressions")
    op.execute("drop index raw.sessions_scheduled_time_idx")
    op.execute("alter table app.email_reports drop column topic, drop column claim_id, drop column claimed_at")
