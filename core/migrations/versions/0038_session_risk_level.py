"""Predictions of sessions without a risk level, which nobody reads: that of a planned session is its tutor's."""

from alembic import op

revision = "0038"
down_revision = "0037"

# Views that dbt of earlier versions made go with it, and the next run makes them anew.
LEVEL = "alter table ml.session_predictions drop column risk_level cascade"

# The version before writes the columns in their order, so the table is made again; the next run fills it.
UNDO = """
drop table ml.session_predictions cascade;
create table ml.session_predictions (
    session_id uuid primary key,
    tutor_disruption_probability real not null check (tutor_disruption_probability between 0 and 1),
    risk_level text not null check (risk_level in ('low', 'medium', 'high')),
    model_version text not null,
    predicted_at timestamptz not null default now()
);
comment on table ml.session_predictions is
    'One row per scheduled session: will the tutor reschedule it, or not turn up?';
grant select on ml.session_predictions to tutorq_api, tutorq_analyst;
grant select, insert, update, delete on ml.session_predictions to tutorq_transform;
"""


def upgrade() -> None:
    op.execute(LEVEL)


def downgrade() -> None:
    op.execute(UNDO)
