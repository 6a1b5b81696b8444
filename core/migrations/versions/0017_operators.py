"""What operators are told: lost models, files that failed, data that stay away, and alerts in words."""

from alembic import op

revision = "0017"
down_revision = "0016"

LOST = """
alter table ml.models add column lost_at timestamptz;
comment on column ml.models.lost_at is
    'When whoever predicts found that the files of this champion are gone or damaged, so that the rules answer; null '
    'if they are there.';
"""

FAILED_FILES = """
grant select on raw.refused_files, raw.loads to tutorq_transform;
comment on column raw.refused_files.checksum is 'SHA-256 of the file; a word and its path if it could not be read.';
"""

WORDS = """
alter table app.alert_conditions add column title text, add column advice text, add column over_at timestamptz;
comment on column app.alert_conditions.title is 'What is wrong, in the words of the alert.';
comment on column app.alert_conditions.advice is 'What to do about it, in the words of the alert.';
comment on column app.alert_conditions.over_at is
    'When it was known to be over. It is kept a while, so that trouble which soon returns is not mailed again.';
"""


def upgrade() -> None:
    for block in (LOST, FAILED_FILES, WORDS):
        op.execute(block)


def downgrade() -> None:
    op.execute("alter table app.alert_conditions drop column title, drop column advice, drop column over_at")
    op.execute("revoke select on raw.refused_files, raw.loads from tutorq_transform")
    op.execute("alter table ml.models drop column lost_at")
