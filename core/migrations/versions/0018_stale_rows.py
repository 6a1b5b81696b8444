"""Rows of a load that are older than what is stored are counted by themselves."""

from alembic import op

revision = "0018"
down_revision = "0017"

STALE_ROWS = """
alter table raw.loads add column stale_rows bigint not null default 0;
comment on column raw.loads.stale_rows is
    'Rows that are an older version than what is stored; before this column they were among unchanged_rows.';
"""


def upgrade() -> None:
    op.execute(STALE_ROWS)


def downgrade() -> None:
    op.execute("update raw.loads set unchanged_rows = unchanged_rows + stale_rows")
    op.execute("alter table raw.loads drop column stale_rows")
