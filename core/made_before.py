"""Views and functions that an earlier run of dbt made of the same code and settings: those need not be made again.

dbt looks at each of a hundred of them in every run, for 30 ms, and finds them as they were. What a run has made is
noted with its comment in the database, which says what it was made of, so that somebody else's change is seen.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import LiteralString

import psycopg

# Vars that tables alone read (`tests/dbt/test_made_before.py`), but for `models_version`, which says what the code is.
OF_TABLES = frozenset({"as_of", "new_reference", "scoring_days"})

# By dbt's id. A mart has a view for analysts beside it.
COMMENTS: LiteralString = """
select
    'model.tutorq.' || relname as node,
    obj_description(relations.oid, 'pg_class')
    || coalesce(obj_description(to_regclass('analytics.' || relname), 'pg_class'), '') as comment
from pg_class as relations
where relkind = 'v' and relnamespace in ('staging'::regnamespace, 'intermediate'::regnamespace, 'marts'::regnamespace)
union all
select 'function.tutorq.' || proname, string_agg(obj_description(functions.oid, 'pg_proc'), '')
from pg_proc as functions
where pronamespace in ('intermediate'::regnamespace, 'marts'::regnamespace)
group by proname
"""
FORGET: LiteralString = "delete from intermediate.made_before where version <> %s"
FIND: LiteralString = f"select node from intermediate.made_before natural join ({COMMENTS}) as comments"
NOTE: LiteralString = f"""
insert into intermediate.made_before (node, version, comment)
select node, %s, comment from ({COMMENTS}) as comments where node = any(%s) and comment is not null
on conflict (node) do update set version = excluded.version, comment = excluded.comment
"""


def version_of(variables: Mapping[str, object]) -> str:
    """Of what views and functions are made of: the code, by its checksum, and what else dbt is told."""
    lasting = {name: value for name, value in variables.items() if name not in OF_TABLES}
    return hashlib.md5(json.dumps(lasting, sort_keys=True).encode(), usedforsecurity=False).hexdigest()


def find(connection: psycopg.Connection, version: str) -> frozenset[str]:
    """Ids of the nodes that are as this version makes them.

    What other versions made is forgotten: a run that ends half-way leaves some of it changed.
    """
    with connection.transaction():
        connection.execute("set local role tutorq_transform")
        (is_there,) = connection.execute("select to_regclass('intermediate.made_before') is not null").fetchone() or (
            False,
        )
        if not is_there:
            return frozenset()
        connection.execute(FORGET, [version])
        return frozenset(node for (node,) in connection.execute(FIND).fetchall())


def note(connection: psycopg.Connection, version: str, nodes: Sequence[str]) -> None:
    """Note that these nodes have just been made."""
    with connection.transaction():
        connection.execute("set local role tutorq_transform")
        connection.execute(NOTE, [version, list(nodes)])
