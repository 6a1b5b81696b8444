"""The index that the list of tutors is read by. On a new database, dbt makes it with the table."""

from alembic import op

revision = "0056"
down_revision = "0055"

UPGRADE = """
do $$
begin
    if to_regclass('marts.tutor_scores') is not null then
        create index if not exists tutor_scores_by_risk
        on marts.tutor_scores (risk_probability desc nulls last, tutor_id);
    end if;
end
$$;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute("drop index if exists marts.tutor_scores_by_risk")
