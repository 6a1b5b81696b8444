"""What is known of landing files without reading them again."""

from alembic import op

revision = "0007"
down_revision = "0006"

CHECKSUMS = """
create table raw.landing_checksums (
    path text primary key,
    fingerprint text not null,
    checksum text not null,
    read_at timestamptz not null default now()
);
comment on table raw.landing_checksums is
    'Checksums of landing files when they were last read; without them every file is read again in every run.';
comment on column raw.landing_checksums.fingerprint is
    'Size, modification and change time, and inode at that time; the checksum holds only while all of them do.';

create index on raw.loads (entity, source, load_id);
"""


def upgrade() -> None:
    op.execute(CHECKSUMS)


def downgrade() -> None:
    op.execute("drop table raw.landing_checksums; drop index raw.loads_entity_source_load_id_idx;")
