"""What the list of tutors is read by: an index, and the table `intermediate.tutor_rows`, which runs make.

On a new database, dbt makes the index with the table.
"""

from alembic import op

revision = "0056"
down_revision = "0055"

UPGRADE = """
grant usage on schema intermediate to tutorq_api;
do $$
begin
    if exists (
        select from pg_attribute
        where attrelid = to_regclass('marts.tutor_scores') and attname = 'risk_probability' and not attisdropped
    ) then
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
    op.execute("revoke usage on schema intermediate from tutorq_api")
