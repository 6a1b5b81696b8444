"""Cases: who looks after a tutor of whom there is a concern, and what came of it."""

from alembic import op

revision = "0025"
down_revision = "0024"

CASES = """
create table app.cases (
    case_id bigint generated always as identity primary key,
    tutor_id uuid not null,
    state text not null default 'new' check (
        state in ('new', 'assigned', 'contacted', 'plan_agreed', 'monitoring', 'resolved', 'dismissed')
    ),
    reason text check (reason in ('improved', 'no_effect', 'excused', 'data_error', 'left')),
    owner_id bigint references app.people,
    priority text not null default 'normal' check (priority in ('high', 'normal', 'low')),
    due_on date,
    snoozed_until date,
    concerns text[] not null default '{}',
    standing text[] not null default '{}',
    snapshot jsonb not null default '[]',
    opened_at timestamptz not null default now(),
    opened_by text not null,
    opened_on date not null,
    contacted_at timestamptz,
    suggested_at timestamptz,
    reopened_at timestamptz,
    closed_at timestamptz,
    version integer not null default 1,
    changed_at timestamptz not null default now(),
    check ((state in ('resolved', 'dismissed')) = (closed_at is not null)),
    check ((closed_at is null) = (reason is null)),
    check (reason is null or (state = 'resolved') = (reason in ('improved', 'no_effect')))
);
create unique index cases_one_open_per_tutor on app.cases (tutor_id) where closed_at is null;
create index on app.cases (tutor_id, opened_at);
create index on app.cases (owner_id) where closed_at is null;
comment on table app.cases is
    'One row per case: opened by itself when a concern is raised, or by hand; a tutor has one open case at most.';
comment on column app.cases.reason is 'Why it is closed; null while it is open.';
comment on column app.cases.owner_id is 'Who looks after it.';
comment on column app.cases.due_on is 'When to follow up; null if nothing is agreed.';
comment on column app.cases.snoozed_until is 'Nobody is reminded of it before this day.';
comment on column app.cases.concerns is 'What has been raised while it was open, in the order in which it came.';
comment on column app.cases.standing is
    'What was raised when scores were last compared with the case, which is how a relapse is known.';
comment on column app.cases.snapshot is 'What was raised at the opening, with its figures.';
comment on column app.cases.opened_by is 'Who opened it, as in the audit log; tutorq if it was a concern.';
comment on column app.cases.opened_on is 'As-of day of the scores at the opening.';
comment on column app.cases.contacted_at is 'First contact with the tutor since it was opened or reopened.';
comment on column app.cases.suggested_at is 'Since when nothing has been raised any more: it can be closed.';
comment on column app.cases.version is 'Counts the changes; who changes it says which version they have seen.';
"""

EVENTS = """
create table app.case_events (
    event_id bigint generated always as identity primary key,
    case_id bigint not null references app.cases,
    kind text not null check (
        kind in (
            'opened', 'joined', 'eased', 'suggested', 'reopened', 'changed', 'note', 'contact', 'closed'
        )
    ),
    happened_at timestamptz not null default clock_timestamp(),
    actor text not null,
    person_id bigint,
    is_private boolean not null default false check (not is_private or kind = 'note'),
    version integer not null,
    details jsonb not null default '{}'
);
create index on app.case_events (case_id, event_id);
create trigger append_only before update or delete or truncate on app.case_events
    for each statement execute function app.refuse_change();
comment on table app.case_events is
    'What happened to each case. Append-only: a trigger refuses every update, delete and truncate.';
comment on column app.case_events.actor is 'Who did it, as in the audit log; tutorq if scores did.';
comment on column app.case_events.person_id is 'The same as a person, who may have left since; null if it was none.';
comment on column app.case_events.is_private is 'Of a note: only who wrote it may read it.';
comment on column app.case_events.version is 'The version of the case after it.';
"""

ROLES = """
grant select on app.cases, app.case_events to tutorq_api;
grant insert (tutor_id, concerns, standing, snapshot, opened_by, opened_on),
    update (
        state, reason, owner_id, priority, due_on, snoozed_until, suggested_at, contacted_at, reopened_at, closed_at,
        version, changed_at
    ) on app.cases to tutorq_api;
grant insert (case_id, kind, actor, person_id, is_private, version, details) on app.case_events to tutorq_api;
grant select, insert, update on app.cases to tutorq_transform;
grant select, insert on app.case_events to tutorq_transform;
"""


def upgrade() -> None:
    for block in (CASES, EVENTS, ROLES):
        op.execute(block)


def downgrade() -> None:
    op.execute("drop table app.case_events, app.cases")
