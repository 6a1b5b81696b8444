"""Since when a status holds, kept with each recorded day, so that no run has to read all of them."""

from alembic import op

revision = "0009"
down_revision = "0008"

# The marts are dbt's. But dbt never rebuilds this one, and takes no column of its own into a table that is there.
RISK_STATUS_SINCE = """
do $$
begin
    if to_regclass('marts.score_history') is not null then
        alter table marts.score_history add column if not exists risk_status_since date;
        update marts.score_history as history
        set risk_status_since = stretches.first_day
        from (
            select tutor_id, as_of, min(as_of) over (partition by tutor_id, risk_status, stretch) as first_day
            from (
                select
                    *,
                    as_of - row_number() over (partition by tutor_id, risk_status order by as_of)::integer as stretch
                from marts.score_history
            ) as days
        ) as stretches
        where history.tutor_id = stretches.tutor_id and history.as_of = stretches.as_of;
        alter table marts.score_history alter column risk_status_since set not null;
    end if;
end
$$
"""


def upgrade() -> None:
    op.execute(RISK_STATUS_SINCE)


def downgrade() -> None:
    op.execute("alter table if exists marts.score_history drop column if exists risk_status_since")
