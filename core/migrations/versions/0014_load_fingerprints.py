"""By what a file that was loaded and is still to be moved is known."""

from alembic import op

revision = "0014"
down_revision = "0013"

FINGERPRINTS = """
alter table raw.loads add column fingerprint text;
comment on column raw.loads.fingerprint is
    'Size, times and inode of the file when it was loaded: a file with these is the very one. Null once it was moved.';
grant update (fingerprint) on raw.loads to tutorq_ingest;
"""


def upgrade() -> None:
    op.execute(FINGERPRINTS)


def downgrade() -> None:
    op.execute("alter table raw.loads drop column fingerprint")
