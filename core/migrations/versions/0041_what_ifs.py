"""Questions of what other settings would have done, and the settings that were applied."""

from alembic import op

revision = "0041"
down_revision = "0040"

SETTINGS = """
create table app.scoring_settings (
    settings_id bigint generated always as identity primary key,
    settings jsonb not null check (jsonb_typeof(settings) = 'object'),
    note text,
    applied_at timestamptz not null default now(),
    applied_by text not null
);
comment on table app.scoring_settings is
    'One row per time that settings of scoring were applied. The newest row counts from the next run on; rows are '
    'added and never changed.';
comment on column app.scoring_settings.settings is
    'All settings that differ from what is configured, by the names of the vars of dbt; {} goes back to it.';
grant select, insert on app.scoring_settings to tutorq_api;
grant select on app.scoring_settings to tutorq_transform;
"""

WHAT_IFS = """
create table app.what_ifs (
    what_if_id uuid primary key default gen_random_uuid(),
    settings jsonb not null check (jsonb_typeof(settings) = 'object'),
    weeks integer not null check (weeks between 4 and 52),
    asked_by text not null,
    asked_at timestamptz not null default now(),
    state text not null default 'queued' check (state in ('queued', 'running', 'done', 'failed')),
    step text not null default '',
    progress double precision not null default 0 check (progress between 0 and 1),
    touched_at timestamptz not null default now(),
    result jsonb,
    error text,
    check ((state = 'done') = (result is not null)),
    check ((state = 'failed') = (error is not null))
);
create unique index what_ifs_one_at_a_time on app.what_ifs ((true)) where state in ('queued', 'running');
comment on table app.what_ifs is
    'One row per question of what other settings of scoring would have done. One is answered at a time; answers are '
    'kept for a week.';
comment on column app.what_ifs.settings is 'What is changed, by the names of the vars of dbt.';
comment on column app.what_ifs.weeks is 'So many weeks are replayed.';
comment on column app.what_ifs.touched_at is 'When whoever answers it was last heard of.';
comment on column app.what_ifs.result is 'The answer. It holds ids of tutors, and no names.';
grant select, insert, update, delete on app.what_ifs to tutorq_api;
grant select, update on app.what_ifs to tutorq_transform;
"""


def upgrade() -> None:
    op.execute(SETTINGS)
    op.execute(WHAT_IFS)


def downgrade() -> None:
    op.execute("drop table app.what_ifs, app.scoring_settings")
