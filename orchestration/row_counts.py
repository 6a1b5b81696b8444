"""How many rows a table has, for the metadata of its asset."""

from psycopg import Connection, sql

COUNT_UP_TO = 1_000_000


def table_rows(connection: Connection, schema: str, table: str) -> int | None:
    """Rows of a table, or None if it is none (a view). Counted up to a million, beyond that as the server estimates."""
    found = connection.execute(
        "select reltuples::bigint from pg_class where oid = to_regclass(%s) and relkind in ('r', 'p')",
        [f'"{schema}"."{table}"'],
    ).fetchone()
    if found is None:
        return None
    if found[0] > COUNT_UP_TO:
        return int(found[0])
    counted = connection.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(schema, table))).fetchone()
    return int(counted[0]) if counted else None
