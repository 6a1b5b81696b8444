"""Until the next run makes it: the column of the publication that readers cache by."""

from alembic import op

revision = "0004"
down_revision = "0003"

# The marts are dbt's. But the API reads this column from its first request on, and a run may be hours away.
REFRESHED_AT = """
do $$
begin
    if to_regclass('marts.publication') is not null then
        alter table marts.publication add column if not exists refreshed_at timestamptz;
        update marts.publication set refreshed_at = published_at where refreshed_at is null;
    end if;
end
$$
"""


def upgrade() -> None:
    op.execute(REFRESHED_AT)


def downgrade() -> None:
    op.execute("alter table if exists marts.publication drop column if exists refreshed_at")
