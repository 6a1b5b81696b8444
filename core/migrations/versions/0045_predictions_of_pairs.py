"""Of a pair only what cannot be derived: its probability, and the run that predicted it."""

from alembic import op

revision = "0045"
down_revision = "0044"

BUCKETS = 16

RUNS = """
create table ml.match_runs (
    run_id integer generated always as identity primary key,
    model_version text not null,
    predicted_at timestamptz not null default clock_timestamp(),
    medium_from real not null,
    high_from real not null
);
comment on table ml.match_runs is
    'One row per writing of ml.match_predictions: what all pairs of it have in common. A row is deleted once all '
    'buckets have been predicted anew since.';
comment on column ml.match_runs.medium_from is 'The probability from which a risk is medium, by the settings then.';
comment on column ml.match_runs.high_from is 'The probability from which a risk is high, by the settings then.';
alter table ml.prediction_buckets add column run_id integer not null default 0;
alter table ml.prediction_buckets alter column run_id drop default;
comment on column ml.prediction_buckets.run_id is
    'Of ml.match_runs; 0 of an earlier version. Rows are of this run, or of a later one of single people.';
grant select on ml.match_runs to tutorq_api, tutorq_analyst;
grant insert on ml.match_runs to tutorq_api;
grant select, insert, delete on ml.match_runs to tutorq_transform;
"""

# Limits are such that each pair keeps its level. Of levels that no pair has, the limit is above all pairs: it lies
# somewhere between them and 1, and is in force until the next run.
KNOWN_RUNS = """
insert into ml.match_runs (model_version, predicted_at, medium_from, high_from)
select
    model_version,
    predicted_at,
    coalesce(min(churn_probability) filter (where risk_level <> 'low'), 'infinity'),
    coalesce(min(churn_probability) filter (where risk_level = 'high'), 'infinity')
from ml.match_predictions
group by model_version, predicted_at;
"""

# Views that dbt of earlier versions made go with the old table, and the next run makes them anew.
NEW_TABLE = """
alter table ml.match_predictions rename to old_predictions;
alter table ml.old_predictions rename constraint match_predictions_pkey to old_predictions_pkey;
alter index ml.match_predictions_tutor rename to old_predictions_tutor;
create table ml.match_predictions (
    student_id uuid not null,
    tutor_id uuid not null,
    churn_probability real not null check (churn_probability between 0 and 1),
    run_id integer not null,
    bucket smallint not null,
    primary key (student_id, tutor_id, bucket)
) partition by list (bucket);
create index match_predictions_tutor on ml.match_predictions (tutor_id);
alter table ml.match_predictions owner to tutorq_transform;
grant select, insert, delete on ml.match_predictions to tutorq_api;
grant select on ml.match_predictions to tutorq_analyst;
comment on table ml.match_predictions is
    'One row per active student and active tutor. A bucket is rewritten by putting a new partition in the place of the '
    'old one, so readers never see it half full. Levels, mismatches and compatibility are in marts.match_predictions.';
comment on column ml.match_predictions.run_id is 'Of ml.match_runs: which model predicted it, and when.';
comment on column ml.match_predictions.bucket is 'ml.student_bucket(student_id); name it when you look up a student.';
"""
# Keys after the rows, which is faster. Names that a partition's index gets by itself would still be the old one's.
PARTITION = """
drop table if exists ml.match_predictions_{bucket}_next;
alter table ml.match_predictions_{bucket} rename to old_predictions_{bucket};
create table ml.match_predictions_{bucket} (like ml.match_predictions including constraints);
insert into ml.match_predictions_{bucket} (student_id, tutor_id, churn_probability, run_id, bucket)
select pairs.student_id, pairs.tutor_id, pairs.churn_probability, runs.run_id, pairs.bucket
from ml.old_predictions_{bucket} as pairs
inner join ml.match_runs as runs using (model_version, predicted_at);
drop table ml.old_predictions_{bucket};
alter table ml.match_predictions_{bucket}
    add primary key (student_id, tutor_id, bucket), add check (bucket = {number}),
    owner to tutorq_transform;
create index on ml.match_predictions_{bucket} (tutor_id);
alter table ml.match_predictions attach partition ml.match_predictions_{bucket} for values in ({number});
"""
DONE = "drop table ml.old_predictions cascade"

# Predictions of the version before hold what it derived from people, so that version has to make them anew.
UNDO = """
drop table ml.match_predictions cascade;
drop table ml.match_runs;
delete from ml.prediction_buckets;
alter table ml.prediction_buckets drop column run_id;
create table ml.match_predictions (
    bucket smallint not null,
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
    primary key (bucket, student_id, tutor_id)
) partition by list (bucket);
create index match_predictions_tutor on ml.match_predictions (tutor_id);
alter table ml.match_predictions owner to tutorq_transform;
grant select, insert, delete on ml.match_predictions to tutorq_api;
grant select on ml.match_predictions to tutorq_analyst;
comment on table ml.match_predictions is
    'One row per active student and active tutor. A bucket is rewritten by putting a new partition in the place of the '
    'old one, so readers never see it half full.';
comment on column ml.match_predictions.bucket is 'ml.student_bucket(student_id); name it when you look up a student.';
"""


def upgrade() -> None:
    for block in (RUNS, KNOWN_RUNS, NEW_TABLE):
        op.execute(block)
    for number in range(BUCKETS):
        op.execute(PARTITION.format(bucket=f"{number:02d}", number=number))
    op.execute(DONE)


def downgrade() -> None:
    op.execute(UNDO)
    for number in range(BUCKETS):
        name = f"ml.match_predictions_{number:02d}"
        op.execute(f"create table {name} partition of ml.match_predictions for values in ({number})")
        op.execute(f"alter table {name} owner to tutorq_transform")
