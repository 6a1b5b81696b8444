"""Tutors have a risk of their own, that they stop; predictions of sessions say as of which day their histories are."""

from alembic import op

revision = "0047"
down_revision = "0046"

TUTORS = """
create table ml.tutor_predictions (
    tutor_id uuid primary key,
    stop_probability real not null check (stop_probability between 0 and 1),
    factors jsonb not null check (jsonb_typeof(factors) = 'array'),
    model_version text not null,
    as_of date not null,
    predicted_at timestamptz not null default now()
);
comment on table ml.tutor_predictions is 'One row per active tutor who taught lately: will the tutor stop?';
comment on column ml.tutor_predictions.factors is
    'What moves it most, strongest first: feature, value (null if unknown) and effect on the log-odds of each.';
comment on column ml.tutor_predictions.as_of is 'The day whose end the features are as of.';
grant select on ml.tutor_predictions to tutorq_api, tutorq_analyst;
grant select, insert, update, delete on ml.tutor_predictions to tutorq_transform;
alter table ml.models drop constraint models_kind_check;
alter table ml.models
    add constraint models_kind_check check (kind in ('match', 'session', 'student_no_show', 'attrition'));
"""

SESSIONS = """
alter table ml.session_predictions add column as_of date;
comment on column ml.session_predictions.as_of is
    'The day whose end the histories are as of; null where there were none, or of a version before.';
"""

# Models of the kind go with it: the version before could not name them. Views that dbt made go as well.
UNDO = """
drop table ml.tutor_predictions cascade;
alter table ml.session_predictions drop column as_of cascade;
delete from ml.models where kind = 'attrition';
alter table ml.models drop constraint models_kind_check;
alter table ml.models
    add constraint models_kind_check check (kind in ('match', 'session', 'student_no_show'));
"""


def upgrade() -> None:
    op.execute(TUTORS)
    op.execute(SESSIONS)


def downgrade() -> None:
    op.execute(UNDO)
