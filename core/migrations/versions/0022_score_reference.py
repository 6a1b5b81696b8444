"""The reference that scores are measured against: set once, so that a score depends on a tutor's own facts alone."""

from alembic import op

revision = "0022"
down_revision = "0021"

# The prior's parameters, and not its masses per rate: those are of one limit, and follow from the parameters for any.
REFERENCE = """
create table app.score_reference (
    reference_id bigint generated always as identity primary key,
    set_at timestamptz not null default now(),
    as_of date not null,
    tutors integer not null,
    filter_prior double precision[] not null check (cardinality(filter_prior) = 4),
    filter_limit double precision not null,
    design_effect double precision not null,
    quality_tutors integer,
    means double precision[] check (cardinality(means) = 4),
    covariance double precision[] check (cardinality(covariance) = 16),
    check (num_nulls(quality_tutors, means, covariance) in (0, 3))
);
comment on table app.score_reference is
    'What scores are measured against, one row per time that it was set. The newest counts: of the filter, the newest '
    'row; of quality_score, the newest that has means.';
comment on column app.score_reference.as_of is 'Day of the scores that it was taken from.';
comment on column app.score_reference.tutors is 'How many tutors had enough sessions on that day.';
comment on column app.score_reference.filter_prior is
    'Prior of the let-down rate: alpha and beta of the narrow part, alpha and beta of the broad one.';
comment on column app.score_reference.filter_limit is 'TUTORQ_RISK_THRESHOLD then, which the broad part is about.';
comment on column app.score_reference.design_effect is
    'How much more a tutor''s weeks vary within a month than single sessions would, 1-2.';
comment on column app.score_reference.quality_tutors is
    'How many tutors had all four components; this and what follows is null until there are 20.';
comment on column app.score_reference.means is
    'Means over these tutors: log-odds of the expected rates of let-downs, of no-shows and of lost first meetings, and '
    'the expected rating.';
comment on column app.score_reference.covariance is 'Their sample covariance, row by row.';
grant select, insert, update on app.score_reference to tutorq_transform;
grant select on app.score_reference to tutorq_api;
"""


def upgrade() -> None:
    op.execute(REFERENCE)


def downgrade() -> None:
    op.execute("drop table app.score_reference")
