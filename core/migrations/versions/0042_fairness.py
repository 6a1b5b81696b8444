"""Time zones of tutors, which the fairness audit compares; texts of a language model for the weekly report."""

from alembic import op

revision = "0042"
down_revision = "0041"

TIME_ZONE = """
alter table raw.tutors add column time_zone text;
comment on column raw.tutors.time_zone is 'Where the tutor lives, as delivered, such as Europe/Vienna.';
"""

# Who queues mail asks for the words of the weekly report.
GRANTS = """
grant select, insert on app.explanations to tutorq_transform;
grant select, insert, update on app.explanation_calls to tutorq_transform;
"""


def upgrade() -> None:
    op.execute(TIME_ZONE)
    op.execute(GRANTS)
    op.execute("comment on table app.explanations is 'Texts of a language model, cached by what they were made from.'")


def downgrade() -> None:
    op.execute("revoke all on app.explanations, app.explanation_calls from tutorq_transform")
    op.execute("alter table raw.tutors drop column time_zone")
    op.execute("comment on table app.explanations is 'Texts that explain a match, cached by what they were made from.'")
