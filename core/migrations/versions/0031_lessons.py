"""Which sessions are one lesson with several students, and the mapping by which a file was read."""

from alembic import op

revision = "0031"
down_revision = "0030"

LESSONS = """
alter table raw.sessions add column lesson_id text;
comment on column raw.sessions.lesson_id is
    'What the sessions of one lesson with several students have in common; null if it had one student.';
"""

MAPPINGS = """
alter table raw.loads add column mapping text;
comment on column raw.loads.mapping is 'Checksum of the mapping by which the file was read; null if it needed none.';
alter table raw.refused_files add column mapping text;
comment on column raw.refused_files.mapping is
    'Checksum of the mapping by which the file was read; null without one, `wrong` if it cannot be understood.';
"""

# Views of dbt select the column: they go with it, and dbt of the version before makes them anew.
UNDO = """
alter table raw.sessions drop column lesson_id cascade;
alter table raw.loads drop column mapping;
alter table raw.refused_files drop column mapping;
"""


def upgrade() -> None:
    op.execute(LESSONS)
    op.execute(MAPPINGS)


def downgrade() -> None:
    op.execute(UNDO)
