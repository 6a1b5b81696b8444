"""Who loads people raises the version of predictions, which answers about matching are cached by."""

from alembic import op

revision = "0057"
down_revision = "0056"


def upgrade() -> None:
    op.execute("grant usage on schema ml to tutorq_ingest")
    op.execute("grant select, update on ml.prediction_version to tutorq_ingest")


def downgrade() -> None:
    op.execute("revoke select, update on ml.prediction_version from tutorq_ingest")
    op.execute("revoke usage on schema ml from tutorq_ingest")
