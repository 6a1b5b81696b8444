"""Tutors' own pages: the links that open them, and what tutors object to."""

from alembic import op

revision = "0036"
down_revision = "0035"

LINKS = """
create table app.page_links (
    token_hash bytea primary key,
    tutor_id uuid not null,
    made_by text not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null
);
create index on app.page_links (tutor_id);
comment on table app.page_links is
    'Links to tutors'' own pages, by the SHA-256 of their token. Deleting the rows of a tutor revokes all of them.';
comment on column app.page_links.made_by is 'Who made it, as in the audit log; mail if it was made for a mail.';
"""

APPEALS = """
create table app.appeals (
    appeal_id bigint generated always as identity primary key,
    tutor_id uuid not null,
    concern text check (
        concern in ('unreliable', 'getting_worse', 'no_shows', 'late_starts', 'loses_new_students', 'low_ratings')
    ),
    reason text not null check (reason in ('not_me', 'illness', 'technical', 'wrong_record', 'agreed', 'other')),
    text text not null check (length(text) between 1 and 1000),
    state text not null default 'open' check (state in ('open', 'granted', 'declined', 'withdrawn')),
    created_by text not null,
    created_at timestamptz not null default now(),
    due_on date not null,
    settled_at timestamptz,
    decided_by text,
    decider_id bigint,
    answer text,
    check ((state = 'open') = (settled_at is null)),
    check ((state in ('granted', 'declined')) = (decided_by is not null and answer is not null)),
    check ((decider_id is null) = (decided_by is null))
);
create index on app.appeals (tutor_id, created_at);
create index on app.appeals (due_on) where state = 'open';
comment on table app.appeals is
    'What tutors object to: sessions that count against them, or a concern. A person decides, with an answer.';
comment on column app.appeals.concern is 'The concern as a whole; null if it is about sessions (app.appeal_sessions).';
comment on column app.appeals.created_by is
    'tutor if it was sent from their page; else who sent it for them, as in the audit log.';
comment on column app.appeals.due_on is 'The last day for an answer, in the reporting zone.';
comment on column app.appeals.settled_at is 'When it was decided or withdrawn; null while it is open.';
comment on column app.appeals.decided_by is 'Who decided, as in the audit log.';
comment on column app.appeals.decider_id is 'The same as a person, who may have left since.';
comment on column app.appeals.answer is 'What the tutor was told.';

create table app.appeal_sessions (
    appeal_id bigint not null references app.appeals on delete cascade,
    session_id uuid not null,
    happened text not null check (happened in ('missed', 'cancelled', 'moved', 'late')),
    remedy text check (remedy in ('excused', 'corrected')),
    primary key (appeal_id, session_id)
);
create index on app.appeal_sessions (session_id);
comment on table app.appeal_sessions is 'The sessions of each appeal, and those that a granted one has changed.';
comment on column app.appeal_sessions.happened is 'What the record said when the appeal was sent.';
comment on column app.appeal_sessions.remedy is 'What granting it has changed; null if it was left as it is.';
"""

KINDS = "'session_report', 'risk_alert', 'daily_digest', 'tutor_snapshot', 'alert', 'log_in_link', 'notification'"
OURS = "'appeal_received', 'appeal_answer', 'appeal_reminder'"

# Nobody opts out of an answer: the kinds of app.mail_opt_outs stay as they are.
MAIL = f"""
alter table app.email_reports
    drop constraint email_reports_kind_check,
    add constraint email_reports_kind_check check (channel = 'webhook' or kind in ({KINDS}, {OURS}));
"""

# Who sends mail makes the tokens of mailed links, so that no table holds one.
ROLES = """
grant select, insert, delete on app.page_links to tutorq_api, tutorq_transform;
grant select on app.appeals, app.appeal_sessions to tutorq_api, tutorq_transform;
grant insert (tutor_id, concern, reason, text, created_by, due_on),
    update (state, settled_at, decided_by, decider_id, answer) on app.appeals to tutorq_api;
grant insert (appeal_id, session_id, happened, remedy), update (remedy) on app.appeal_sessions to tutorq_api;
"""

UNDO = f"""
drop table app.page_links, app.appeal_sessions, app.appeals;
delete from app.email_reports where kind in ({OURS});
alter table app.email_reports
    drop constraint email_reports_kind_check,
    add constraint email_reports_kind_check check (channel = 'webhook' or kind in ({KINDS}));
"""


def upgrade() -> None:
    for block in (LINKS, APPEALS, MAIL, ROLES):
        op.execute(block)


def downgrade() -> None:
    op.execute(UNDO)
