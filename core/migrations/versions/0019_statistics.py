"""Loaders renew the planner's statistics on every version of Postgres: the right to do so exists since 17 only."""

from alembic import op

revision = "0019"
down_revision = "0018"

ANALYZE = """
create function raw.analyze_table(name text) returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if name not in ('sessions', 'reschedules', 'tutors', 'students') then
        raise insufficient_privilege using message = format('raw.analyze_table does not analyze %s', name);
    end if;
    execute format('analyze raw.%I', name);
end
$$;
comment on function raw.analyze_table(text) is
    'Renews the statistics of a table after a load, with the rights of the owner of the database.';
revoke all on function raw.analyze_table(text) from public;
grant execute on function raw.analyze_table(text) to tutorq_ingest;
"""


def upgrade() -> None:
    op.execute(ANALYZE)


def downgrade() -> None:
    op.execute("drop function raw.analyze_table(text)")
