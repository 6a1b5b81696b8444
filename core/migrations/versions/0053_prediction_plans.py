"""Predictions of whole buckets by several processes: plans and their parts; and which code the code location has."""

from alembic import op

revision = "0053"
down_revision = "0052"

PLANS = """
create table ml.prediction_plans (
    run_id integer primary key,
    model_version text not null,
    kept text not null check (kept in ('all', 'top')),
    buckets smallint[] not null,
    touched bigint[] not null,
    asked_by text,
    opened_at timestamptz not null default clock_timestamp(),
    published_at timestamptz
);
comment on table ml.prediction_plans is
    'One row per prediction of whole buckets, until the next one of any of them; run_id is that of ml.match_runs.';
comment on column ml.prediction_plans.touched is 'Of ml.touched_people, what the publication will have dealt with.';
comment on column ml.prediction_plans.asked_by is
    'The Dagster run in whose steps the parts are made; null where one process makes all of them.';

create table ml.prediction_parts (
    run_id integer not null references ml.prediction_plans on delete cascade,
    bucket smallint not null,
    as_of date,
    pairs bigint not null,
    possible bigint not null,
    made_at timestamptz not null default now(),
    primary key (run_id, bucket)
);
comment on table ml.prediction_parts is
    'One row per bucket of a plan whose pairs stand in the table match_predictions_<bucket>_next.';
comment on column ml.prediction_parts.possible is 'Active students of the bucket times active tutors.';
grant select, insert, update, delete on ml.prediction_plans, ml.prediction_parts to tutorq_transform;
-- Who predicts single people leaves them noted while a plan is open.
grant select on ml.prediction_plans to tutorq_api;
"""

CODE = """
create table app.code_location (
    only_row boolean primary key default true check (only_row),
    code_version text not null,
    started_at timestamptz not null default now()
);
comment on table app.code_location is
    'One row: the version of the code that the code location was last started with, which workers must have, too.';
grant select, insert, update on app.code_location to tutorq_transform;
"""


def upgrade() -> None:
    op.execute(PLANS)
    op.execute(CODE)


def downgrade() -> None:
    op.execute("drop table ml.prediction_parts, ml.prediction_plans, app.code_location")
