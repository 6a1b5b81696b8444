"""Functions that act as their owner take no name from a caller's temporary tables."""

from core.database import Database

# Of the server's extensions there are none in these schemas.
OTHERS = """
select function.oid::regprocedure::text, coalesce(path, 'none')
from pg_proc as function
inner join pg_namespace as namespace on namespace.oid = function.pronamespace
left join unnest(function.proconfig) as path on path like 'search_path=%'
where
    function.prosecdef and namespace.nspname !~ '^(pg_|information_schema)'
    and path is distinct from 'search_path=pg_catalog, pg_temp'
"""
COUNT = """
select count(*) from pg_proc inner join pg_namespace on pg_namespace.oid = pronamespace
where prosecdef and nspname = any('{app,raw,ml}')
"""


def test_they_look_there_last(database: Database) -> None:
    with database.connect() as connection:
        assert connection.execute(OTHERS).fetchall() == []
        assert connection.execute(COUNT).fetchone() > (10,)
