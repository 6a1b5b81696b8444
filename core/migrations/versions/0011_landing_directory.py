"""What becomes of files in the landing directory: where they went, and which could not be moved."""

from alembic import op

revision = "0011"
down_revision = "0010"

LOADS = """
alter table raw.loads
    add column unknown_columns text[] not null default '{}',
    add column moved_to text;
comment on column raw.loads.source is 'Name of the file; in the landing directory its path there.';
comment on column raw.loads.unknown_columns is 'Columns of the file that the contract does not know, left out.';
comment on column raw.loads.moved_to is
    'Where the file went within the landing directory, noted just before; null if it lies where it was loaded from.';
comment on column raw.quarantine.source is 'Name of the file, in the landing directory its path there; or api.';
"""

UNMOVED = """
create table raw.unmoved_files (
    path text primary key,
    fingerprint text not null,
    reason text not null,
    noted_at timestamptz not null default now()
);
comment on table raw.unmoved_files is
    'Files of the landing directory that are done with and could not be moved away; nobody asks for a run for them.';
comment on column raw.unmoved_files.fingerprint is
    'Size, times and inode of the file; once they are others, it is a new one.';
"""


def upgrade() -> None:
    op.execute(LOADS)
    op.execute(UNMOVED)


def downgrade() -> None:
    op.execute("drop table raw.unmoved_files; alter table raw.loads drop column unknown_columns, drop column moved_to;")
