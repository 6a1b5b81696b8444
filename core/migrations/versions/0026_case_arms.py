"""Cases: the arm that was drawn for each, and what was expected of its tutor at the opening."""

from alembic import op

revision = "0026"
down_revision = "0025"

ARMS = """
alter table app.cases
    add column arm text check (arm in ('now', 'later')),
    add column let_down_rate_expected double precision,
    add column let_down_rate_low double precision,
    add column let_down_rate_high double precision;
create index on app.cases (opened_on) where arm is not null;
comment on column app.cases.arm is
    'When to talk, as drawn at the opening (TUTORQ_RANDOMISE_FOLLOW_UP); null if it was not drawn. Never changed.';
comment on column app.cases.let_down_rate_expected is
    'Estimated true rate of let-downs, 0-1, at the opening; null without evidence.';
comment on column app.cases.let_down_rate_low is '5% quantile of that estimate.';
comment on column app.cases.let_down_rate_high is '95% quantile of that estimate.';
grant insert (let_down_rate_expected, let_down_rate_low, let_down_rate_high) on app.cases to tutorq_api;
"""

UNDO = """
alter table app.cases
    drop column arm,
    drop column let_down_rate_expected,
    drop column let_down_rate_low,
    drop column let_down_rate_high;
"""


def upgrade() -> None:
    op.execute(ARMS)


def downgrade() -> None:
    op.execute(UNDO)
