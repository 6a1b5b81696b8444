"""Since when the files of a model are known to be gone or damaged."""

from alembic import op

revision = "0018"
down_revision = "0014"

LOST = """
alter table ml.models add column lost_at timestamptz;
comment on column ml.models.lost_at is
    'When whoever predicts found that the files of this champion are gone or damaged, so that the rules answer; null '
    'if they are there.';
"""


def upgrade() -> None:
    op.execute(LOST)


def downgrade() -> None:
    op.execute("alter table ml.models drop column lost_at")
