"""Functions that act as their owner look for names in temporary tables last: `search_path = pg_catalog, pg_temp`.

Where pg_temp is not named, Postgres looks there first, for tables and types.
"""

from alembic import op

revision = "0055"
down_revision = "0054"

# Also of functions that they call, which run as the owner then. Other settings of a function stay.
UPGRADE = """
do $$
declare
    changed regprocedure;
begin
    for changed in
        select function.oid
        from pg_proc as function inner join pg_namespace as namespace on namespace.oid = function.pronamespace
        where namespace.nspname in ('app', 'raw', 'ml') and 'search_path=pg_catalog' = any(function.proconfig)
    loop
        execute format('alter routine %s set search_path = pg_catalog, pg_temp', changed);
    end loop;
end
$$;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    """Nothing: functions do the same with either."""
