"""The schemas `raw`, `app` and `ml`, the change log, and the roles that read the marts."""

from alembic import op

revision = "0001"
down_revision = None

RAW = """
create schema raw;
comment on schema raw is 'Rows as they arrived, newest version of each; written by the loader and the API.';

create table raw.tutors (
    tutor_id uuid primary key,
    external_id text,
    name text,
    email text,
    subjects text[] not null default '{}',
    is_active boolean not null default true,
    hired_at date,
    capacity integer check (capacity between 0 and 1000),
    age smallint check (age between 0 and 130),
    experience_years numeric(4, 1) check (experience_years between 0 and 100),
    teaching_style text check (teaching_style in ('structured', 'flexible', 'interactive')),
    preferred_pace smallint check (preferred_pace between 1 and 5),
    communication_style smallint check (communication_style between 1 and 5),
    is_stub boolean not null default false,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table raw.tutors is 'One row per tutor; a stub stands for a tutor known only from a session.';
comment on column raw.tutors.external_id is 'The id as delivered, where it was not a UUID.';
comment on column raw.tutors.capacity is 'Students the tutor can take at a time.';
comment on column raw.tutors.is_stub is 'True until a tutors file (or the API) has described the tutor.';

create table raw.students (
    student_id uuid primary key,
    external_id text,
    name text,
    age smallint check (age between 0 and 130),
    subjects text[] not null default '{}',
    preferred_teaching_style text check (preferred_teaching_style in ('structured', 'flexible', 'interactive')),
    preferred_pace smallint check (preferred_pace between 1 and 5),
    communication_style smallint check (communication_style between 1 and 5),
    urgency_level smallint check (urgency_level between 1 and 5),
    learning_goals text,
    is_stub boolean not null default false,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table raw.students is 'One row per student; a stub stands for a student known only from a session.';
comment on column raw.students.external_id is 'The id as delivered, where it was not a UUID.';
comment on column raw.students.is_stub is 'True until a students file (or the API) has described the student.';

create table raw.sessions (
    session_id uuid primary key,
    external_id text,
    tutor_id uuid not null references raw.tutors,
    student_id uuid not null references raw.students,
    scheduled_time timestamptz not null,
    status text not null check (status in ('scheduled', 'completed', 'rescheduled', 'cancelled', 'no_show')),
    subject text,
    booked_at timestamptz,
    completed_time timestamptz,
    duration_minutes integer check (duration_minutes >= 0),
    rating numeric(3, 2) check (rating between 1 and 5),
    initiator text check (initiator in ('tutor', 'student', 'platform')),
    updated_at timestamptz,
    created_at timestamptz not null default now(),
    loaded_at timestamptz not null default now()
);
create index on raw.sessions (tutor_id, scheduled_time);
create index on raw.sessions (student_id);
comment on table raw.sessions is 'One row per session: its newest version.';
comment on column raw.sessions.initiator is 'Who caused a cancellation or a no-show.';
comment on column raw.sessions.updated_at is 'Version of the content as the source states it; the newest wins.';
comment on column raw.sessions.created_at is 'When the session first arrived here.';
comment on column raw.sessions.loaded_at is 'When its present content arrived here.';

create table raw.reschedules (
    session_id uuid primary key,
    initiator text not null check (initiator in ('tutor', 'student', 'platform')),
    reason_code text,
    reason text,
    requested_at timestamptz,
    original_time timestamptz,
    new_time timestamptz,
    updated_at timestamptz,
    created_at timestamptz not null default now(),
    loaded_at timestamptz not null default now()
);
create index on raw.reschedules (requested_at);
comment on table raw.reschedules is
    'At most one reschedule per session. No foreign key: a reschedule may arrive before its session.';
comment on column raw.reschedules.requested_at is 'When the change was asked for; unknown in some sources.';

create table raw.quarantine (
    quarantine_id bigint generated always as identity primary key,
    entity text not null check (entity in ('tutors', 'students', 'sessions', 'reschedules')),
    source text not null,
    line bigint not null,
    reason text not null,
    content text not null,
    content_md5 text not null generated always as (md5(content)) stored,
    first_seen_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    unique (entity, source, line, content_md5)
);
comment on table raw.quarantine is 'Rows that could not be taken, each with its place and the reason.';
comment on column raw.quarantine.line is 'Line in the file, counted from 1 with the header; row number in Parquet.';
comment on column raw.quarantine.content is 'The row as delivered, as JSON (or as text if it could not be split).';

create table raw.loads (
    load_id bigint generated always as identity primary key,
    entity text not null check (entity in ('tutors', 'students', 'sessions', 'reschedules')),
    source text not null,
    checksum text not null,
    read_rows bigint not null,
    inserted_rows bigint not null,
    updated_rows bigint not null,
    unchanged_rows bigint not null,
    quarantined_rows bigint not null,
    started_at timestamptz not null,
    finished_at timestamptz not null default clock_timestamp()
);
create index on raw.loads (entity, checksum);
comment on table raw.loads is
    'One row per loaded file: what was read and what became of it (read = the sum of the other four).';
comment on column raw.loads.checksum is 'SHA-256 of the file; the Dagster assets skip a file that is already in.';

create table raw.refused_files (
    entity text not null check (entity in ('tutors', 'students', 'sessions', 'reschedules')),
    source text not null,
    checksum text not null,
    reason text not null,
    refused_at timestamptz not null default now(),
    primary key (entity, checksum)
);
comment on table raw.refused_files is
    'Landing files that are no such files at all. With raw.loads it says which files need no further attempt.';

create table raw.changes (
    entity text not null check (entity in ('session', 'tutor', 'student')),
    entity_id uuid not null,
    changed_at timestamptz not null default now()
);
comment on table raw.changes is
    'What changed and is not yet in the marts. Filled by triggers in the writer''s own transaction, so that '
    'a row that commits late is still seen; emptied by the dbt model that takes the change over, in the '
    'transaction that writes the model. An entity may stand here more than once.';
"""

APP = """
comment on schema app is 'State of the application: keys, audit, mail, excuses.';

create table app.excuses (
    session_id uuid primary key,
    reason text not null check (length(trim(reason)) > 0),
    created_by text not null,
    created_at timestamptz not null default now()
);
comment on table app.excuses is 'Reschedules that do not count against the tutor, one row per session.';

create sequence app.publication_generation;
comment on sequence app.publication_generation is
    'Numbers the publications of the marts; kept here so that rebuilding the marts never repeats a number.';

create table app.api_keys (
    key_id bigint generated always as identity primary key,
    name text not null check (length(trim(name)) > 0),
    role text not null check (role in ('read', 'ingest', 'admin')),
    prefix text not null,
    key_hash bytea not null unique,
    created_at timestamptz not null default now(),
    last_used_at timestamptz,
    revoked_at timestamptz
);
create unique index api_keys_name_in_use on app.api_keys (name) where revoked_at is null;
comment on table app.api_keys is 'Keys of the API; only a SHA-256 of the key is kept.';
comment on column app.api_keys.prefix is 'First characters of the key, to tell keys apart in lists.';

create table app.audit_log (
    entry_id bigint generated always as identity primary key,
    happened_at timestamptz not null default now(),
    actor text not null,
    action text not null,
    subject_kind text not null,
    subject_id text not null,
    details jsonb not null default '{}'
);
create index on app.audit_log (subject_kind, subject_id, happened_at);
comment on table app.audit_log is 'Who changed what by hand, append-only.';

create table app.email_reports (
    report_id uuid primary key default gen_random_uuid(),
    kind text not null check (kind in ('session_report', 'risk_alert', 'daily_digest', 'tutor_snapshot', 'alert')),
    unique_key text not null unique,
    recipient text not null,
    subject text not null,
    payload jsonb not null,
    state text not null default 'queued'
        check (state in ('queued', 'sending', 'sent', 'failed', 'unknown', 'suppressed')),
    attempts integer not null default 0 check (attempts >= 0),
    next_attempt_at timestamptz not null default now(),
    provider text,
    provider_message_id text,
    error text,
    created_at timestamptz not null default now(),
    settled_at timestamptz
);
create index on app.email_reports (next_attempt_at) where state = 'queued';
comment on table app.email_reports is 'Outbox and audit trail of mail: at most one accepted send per unique_key.';
comment on column app.email_reports.unique_key is 'What the mail is about, for example risk_alert:TUTOR:2026-01-31.';

create table app.explanations (
    cache_key text primary key,
    source text not null check (source in ('model', 'rules')),
    prompt_version text not null,
    body jsonb not null,
    created_at timestamptz not null default now()
);
comment on table app.explanations is 'Texts that explain a match, cached by what they were made from.';
"""

ML = """
create schema ml;
comment on schema ml is 'Models and what they predict.';

create table ml.models (
    model_version text primary key,
    kind text not null,
    is_champion boolean not null default false,
    promotion_reason text not null,
    metrics jsonb not null,
    parameters jsonb not null,
    features text[] not null,
    trained_rows bigint not null check (trained_rows >= 0),
    data_from date,
    data_to date,
    git_revision text,
    artifact_uri text,
    trained_at timestamptz not null default now()
);
create unique index models_one_champion on ml.models (kind) where is_champion;
comment on table ml.models is 'Birth certificate of every trained model, promoted or not.';

create table ml.match_predictions (
    student_id uuid not null,
    tutor_id uuid not null,
    churn_probability real not null check (churn_probability between 0 and 1),
    risk_level text not null check (risk_level in ('low', 'medium', 'high')),
    compatibility_score real not null check (compatibility_score between 0 and 1),
    pace_mismatch real,
    style_mismatch real,
    communication_mismatch real,
    age_mismatch real,
    model_version text not null,
    predicted_at timestamptz not null default now(),
    primary key (student_id, tutor_id)
);
create index on ml.match_predictions (tutor_id);
comment on table ml.match_predictions is 'One row per active student and tutor.';
"""

# Statement triggers with transition tables: one insert per statement, whoever writes (loader, API, psql).
CHANGE_LOG = """
create function raw.log_change() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        execute format(
            'insert into raw.changes (entity, entity_id) select %L, %I from old_rows', tg_argv[0], tg_argv[1]
        );
    else
        execute format(
            'insert into raw.changes (entity, entity_id) select %L, %I from new_rows', tg_argv[0], tg_argv[1]
        );
    end if;
    return null;
end
$$;
comment on function raw.log_change() is
    'Notes the rows of a statement in raw.changes. Ids never change, so the new rows name all that was touched.';
"""

WATCHED = (
    ("raw.sessions", "session", "session_id"),
    ("raw.reschedules", "session", "session_id"),
    ("app.excuses", "session", "session_id"),
    ("raw.tutors", "tutor", "tutor_id"),
    ("raw.students", "student", "student_id"),
)

ROLES = """
do $$
declare
    needed text;
begin
    foreach needed in array array['tutorq_api', 'tutorq_analyst'] loop
        if not exists (select from pg_roles where rolname = needed) then
            execute format('create role %I nologin', needed);
        end if;
    end loop;
exception
    when duplicate_object or unique_violation then null;  -- another database of this server made them just now
end
$$;
grant usage on schema app to tutorq_api;
grant select, update (last_used_at) on app.api_keys to tutorq_api;
grant select on app.email_reports, app.excuses to tutorq_api;
grant usage on schema raw to tutorq_api;
grant select on raw.changes to tutorq_api;
"""


def upgrade() -> None:
    for block in (RAW, APP, ML, CHANGE_LOG):
        op.execute(block)
    for table, entity, key in WATCHED:
        name = table.split(".")[1]
        for event, transition in (("insert", "new"), ("update", "new"), ("delete", "old")):
            op.execute(
                f"create trigger {name}_log_{event} after {event} on {table} "
                f"referencing {transition} table as {transition}_rows for each statement "
                f"execute function raw.log_change('{entity}', '{key}')"
            )
    op.execute(ROLES)


def downgrade() -> None:
    op.execute("drop schema ml cascade; drop schema raw cascade")
    op.execute("drop table app.explanations, app.email_reports, app.audit_log, app.api_keys, app.excuses")
    op.execute("drop sequence app.publication_generation")
