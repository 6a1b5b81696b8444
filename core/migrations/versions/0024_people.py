"""People who use tutorq, their tutors, and log-ins that are theirs."""

from alembic import op

revision = "0024"
down_revision = "0023"

PEOPLE = """
create table app.people (
    person_id bigint generated always as identity primary key,
    name text not null check (length(trim(name)) > 0),
    email text not null check (email ~ '^[!-~]+@[!-~]+$'),
    role text not null check (role in ('read', 'coach', 'lead', 'admin')),
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    last_seen_at timestamptz,
    oidc_subject text unique
);
create unique index on app.people (lower(email));
comment on table app.people is 'People who log in. tutorq people adds, changes and removes them.';
comment on column app.people.email is 'Where log-in links are mailed; unique whatever the case of its letters.';
comment on column app.people.is_active is 'False: known, and let in by nothing.';
comment on column app.people.oidc_subject is
    'Who they are at the OpenID provider, since their first log-in by it; null before.';
comment on column app.people.last_seen_at is 'When a browser of theirs last asked for something, to the minute.';

create table app.person_tutors (
    person_id bigint not null references app.people on delete cascade,
    tutor_id uuid not null,
    primary key (person_id, tutor_id)
);
create index on app.person_tutors (tutor_id);
comment on table app.person_tutors is
    'One row per person and tutor of theirs: whom a coach may change something for. A tutor may have several coaches.';
"""

# Whoever logged in by a link was nobody in particular, and logs in again.
LOG_INS = """
delete from app.login_tokens;
alter table app.login_tokens
    drop column name,
    drop column role,
    add column person_id bigint not null references app.people on delete cascade,
    add column opened_by text not null check (opened_by in ('link', 'mail'));
comment on column app.login_tokens.opened_by is 'How the link reached the person: given to them, or mailed.';

delete from app.browser_sessions where api_key_id is null;
alter table app.browser_sessions
    drop column name,
    drop column role,
    add column person_id bigint references app.people on delete cascade,
    add column opened_by text not null default 'key' check (opened_by in ('key', 'link', 'mail', 'oidc')),
    add column address text,
    add column user_agent text,
    add check (num_nonnulls(person_id, api_key_id) = 1);
alter table app.browser_sessions alter column opened_by drop default;
comment on column app.browser_sessions.person_id is 'Whose it is; null if a key opened it.';
comment on column app.browser_sessions.api_key_id is 'The key that it was opened with, and ends with; else null.';
comment on column app.browser_sessions.address is 'The client''s address at log-in.';
comment on column app.browser_sessions.user_agent is 'What the browser called itself at log-in.';
"""

# Nobody opts out of what they have asked for: the kinds of app.mail_opt_outs stay as they are.
MAIL = """
alter table app.email_reports
    drop constraint email_reports_kind_check,
    add constraint email_reports_kind_check check (
        kind in ('session_report', 'risk_alert', 'daily_digest', 'tutor_snapshot', 'alert', 'log_in_link')
    );
"""

# Who sends mail makes the tokens of mailed links, so that no table holds one.
ROLES = """
grant select, insert (name, email, role, oidc_subject), update (last_seen_at, role, oidc_subject) on app.people
    to tutorq_api;
grant select on app.person_tutors to tutorq_api;
grant insert (kind, topic, unique_key, recipient, subject, payload) on app.email_reports to tutorq_api;
grant select on app.people, app.person_tutors to tutorq_transform;
grant select, insert, delete on app.login_tokens to tutorq_transform;
"""

UNDO = """
delete from app.login_tokens;
alter table app.login_tokens
    drop column person_id,
    drop column opened_by,
    add column name text not null check (length(trim(name)) > 0),
    add column role text not null check (role in ('read', 'admin'));
comment on column app.login_tokens.name is 'What the session will be called.';

delete from app.browser_sessions where person_id is not null;
alter table app.browser_sessions
    drop column person_id,
    drop column opened_by,
    drop column address,
    drop column user_agent,
    add column name text check (length(trim(name)) > 0),
    add column role text check (role in ('read', 'admin'));
update app.browser_sessions as session set name = opener.name, role = opener.role
from app.api_keys as opener where opener.key_id = session.api_key_id;
alter table app.browser_sessions alter column name set not null, alter column role set not null;
comment on column app.browser_sessions.api_key_id is
    'The key that it was opened with, and ends with; null if it was a one-time link.';

drop table app.person_tutors, app.people;

delete from app.email_reports where kind = 'log_in_link';
alter table app.email_reports
    drop constraint email_reports_kind_check,
    add constraint email_reports_kind_check check (
        kind in ('session_report', 'risk_alert', 'daily_digest', 'tutor_snapshot', 'alert')
    );
revoke insert (kind, topic, unique_key, recipient, subject, payload) on app.email_reports from tutorq_api;
revoke select, insert, delete on app.login_tokens from tutorq_transform;
"""


def upgrade() -> None:
    for block in (PEOPLE, LOG_INS, MAIL, ROLES):
        op.execute(block)


def downgrade() -> None:
    op.execute(UNDO)
