"""Scheduled sessions carry a second risk, that the student does not come; its model is a kind of its own."""

from alembic import op

revision = "0043"
down_revision = "0042"

RISK = """
alter table ml.session_predictions
    add column student_no_show_probability real check (student_no_show_probability between 0 and 1),
    add column student_model_version text;
comment on table ml.session_predictions is
    'One row per scheduled session: will the tutor reschedule it or not turn up, and will the student not turn up?';
comment on column ml.session_predictions.model_version is 'What tutor_disruption_probability is of.';
comment on column ml.session_predictions.student_model_version is 'What student_no_show_probability is of.';
alter table ml.models drop constraint models_kind_check;
alter table ml.models
    add constraint models_kind_check check (kind in ('match', 'session', 'student_no_show'));
"""

# Models of the kind go with it: the version before could not name them.
UNDO = """
delete from ml.models where kind = 'student_no_show';
alter table ml.models drop constraint models_kind_check;
alter table ml.models add constraint models_kind_check check (kind in ('match', 'session'));
alter table ml.session_predictions drop column student_no_show_probability cascade;
alter table ml.session_predictions drop column student_model_version cascade;
comment on table ml.session_predictions is
    'One row per scheduled session: will the tutor reschedule it, or not turn up?';
"""


def upgrade() -> None:
    op.execute(RISK)


def downgrade() -> None:
    op.execute(UNDO)
