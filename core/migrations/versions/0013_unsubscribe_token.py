"""A secret of each mail's own in its unsubscribe link: ids of mails are shown in the audit trail."""

from alembic import op

revision = "0013"
down_revision = "0012"

TOKENS = """
alter table app.email_reports add column unsubscribe_token uuid not null default gen_random_uuid();
comment on column app.email_reports.unsubscribe_token is
    'In the link of the mail and nowhere else: who has it may opt out for the receiver.';
"""


def upgrade() -> None:
    op.execute(TOKENS)


def downgrade() -> None:
    op.execute("alter table app.email_reports drop column unsubscribe_token")
