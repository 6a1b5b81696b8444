"""A smaller index on the tutors of sessions: nobody looks for a tutor's sessions by time in the raw table."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.execute("create index sessions_tutor_id_idx on raw.sessions (tutor_id)")
    op.execute("drop index raw.sessions_tutor_id_scheduled_time_idx")


def downgrade() -> None:
    op.execute("create index sessions_tutor_id_scheduled_time_idx on raw.sessions (tutor_id, scheduled_time)")
    op.execute("drop index raw.sessions_tutor_id_idx")
