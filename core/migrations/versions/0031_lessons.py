"""Which sessions are one lesson: a lesson with several students is a session with each of them."""

from alembic import op

revision = "0031"
down_revision = "0030"

LESSONS = """
alter table raw.sessions add column lesson_id text;
comment on column raw.sessions.lesson_id is
    'What the sessions of one lesson with several students have in common; null if it had one student.';
"""


def upgrade() -> None:
    op.execute(LESSONS)


def downgrade() -> None:
    op.execute("alter table raw.sessions drop column lesson_id")
