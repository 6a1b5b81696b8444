"""Which pairs a bucket keeps: all of them, or the best of each student."""

from alembic import op

revision = "0048"
down_revision = "0047"

KEPT = """
alter table ml.prediction_buckets
    add column kept text not null default 'all' check (kept in ('all', 'top')),
    add column possible bigint;
update ml.prediction_buckets set possible = pairs;
alter table ml.prediction_buckets
    alter column possible set default 0,
    alter column possible set not null;
comment on column ml.prediction_buckets.kept is
    'all: every active student of the bucket with every active tutor; top: the best candidates of each student.';
comment on column ml.prediction_buckets.possible is 'Active students of the bucket times active tutors.';
comment on column ml.prediction_buckets.pairs is 'Rows that were written.';
comment on table ml.match_predictions is
    'One row per active student and active tutor, or in `top` mode per student and tutor on the student''s list (see '
    'ml.prediction_buckets.kept). A bucket is rewritten by putting a new partition in the place of the old one, so '
    'readers never see it half full.';
-- The API works out places among all tutors where not all pairs are stored.
grant select on ml.prediction_buckets to tutorq_api;
"""

UNDO = """
revoke select on ml.prediction_buckets from tutorq_api;
delete from ml.prediction_buckets where kept = 'top'; -- what earlier versions take for incomplete, and predict anew
alter table ml.prediction_buckets drop column kept, drop column possible;
comment on column ml.prediction_buckets.pairs is null;
comment on table ml.match_predictions is
    'One row per active student and active tutor. A bucket is rewritten by putting a new partition in the place of the '
    'old one, so readers never see it half full.';
"""


def upgrade() -> None:
    op.execute(KEPT)


def downgrade() -> None:
    op.execute(UNDO)
