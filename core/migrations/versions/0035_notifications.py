"""What a person wants to be told, where and when; and what waits to be told, to persons and to chats."""

from alembic import op

revision = "0035"
down_revision = "0034"

PREFERENCES = """
create table app.notification_preferences (
    person_id bigint primary key references app.people on delete cascade,
    kinds text[] not null check (
        kinds <@ array[
            'session.alert', 'tutor.concern_raised', 'tutor.concern_cleared', 'case.changed', 'daily_digest'
        ]
    ),
    told_by text not null check (told_by in ('mail', 'chat', 'nothing')),
    is_daily boolean not null,
    only_own_tutors boolean not null,
    quiet_from time,
    quiet_to time,
    time_zone text not null,
    sealed_chat_url text,
    chat_service text,
    since timestamptz not null default now(),
    changed_at timestamptz not null default now(),
    check ((quiet_from is null) = (quiet_to is null)),
    check (quiet_from <> quiet_to),
    check ((sealed_chat_url is null) = (chat_service is null)),
    check (told_by <> 'chat' or sealed_chat_url is not null)
);
comment on table app.notification_preferences is
    'What a person wants to be told. Who has no row is told nothing but what TUTORQ_STAFF_EMAILS sends them.';
comment on column app.notification_preferences.is_daily is 'Once a day, in the morning of their zone; else at once.';
comment on column app.notification_preferences.quiet_from is
    'From then until quiet_to, on the clock of their zone, nothing is sent; what waited comes as one.';
comment on column app.notification_preferences.sealed_chat_url is
    'An Apprise URL of their own, encrypted with TUTORQ_SECRETS_KEY.';
comment on column app.notification_preferences.since is 'Events from before are not told.';
"""

WAITING = """
create table app.notifications (
    target text not null,
    event_id uuid not null,
    person_id bigint references app.people on delete cascade,
    kind text not null,
    tutor_id uuid,
    payload jsonb not null,
    happened_at timestamptz not null,
    created_at timestamptz not null default now(),
    report_id uuid references app.email_reports on delete set null,
    told_at timestamptz,
    primary key (target, event_id)
);
create index on app.notifications (target) where told_at is null;
create index on app.notifications (created_at);
comment on table app.notifications is
    'One row per event and person, or chat: what they are told of, each once. Those not told yet wait for the morning, '
    'or for the end of quiet hours.';
comment on column app.notifications.target is 'person:7, or chat:FINGERPRINT of a URL of TUTORQ_NOTIFY_URLS.';
comment on column app.notifications.report_id is 'The message in the outbox that tells of it; one may tell of several.';
"""

ROLES = """
grant select, insert, update, delete on app.notification_preferences to tutorq_api;
grant select, update (sealed_chat_url) on app.notification_preferences to tutorq_transform;
grant select, insert, update, delete on app.notifications to tutorq_transform;
"""

UNDO = "drop table app.notifications, app.notification_preferences"


def upgrade() -> None:
    for block in (PREFERENCES, WAITING, ROLES):
        op.execute(block)


def downgrade() -> None:
    op.execute(UNDO)
