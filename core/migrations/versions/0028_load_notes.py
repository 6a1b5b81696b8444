"""What was not plain in a file stays with the record of its load, for the report beside the file."""

from alembic import op

revision = "0028"
down_revision = "0027"

NOTES = """
alter table raw.loads add column notes jsonb not null default '[]';
comment on column raw.loads.notes is
    'What was understood, guessed and left out in the file: an array of kind, text, count and examples.';
"""


def upgrade() -> None:
    op.execute(NOTES)


def downgrade() -> None:
    op.execute("alter table raw.loads drop column notes")
