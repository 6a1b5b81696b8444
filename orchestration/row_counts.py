"""How many rows a table has, for the metadata of its asset."""

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import psycopg
from psycopg import Connection, sql

from core.database import Database
from core.errors import TutorqError

COUNT_UP_TO = 1_000_000


class RowCounts:
    """Counts over one connection, which holds no lock from one statement to the next; over another one if that is lost.
    Where nothing can be counted, `warn` is told why: no run fails for want of a number."""

    def __init__(self, database: Database, warn: Callable[[str], object]) -> None:
        self._database = database
        self._warn = warn
        self._connections = ExitStack()
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connections.close()

    def of(self, schema: str, table: str) -> int | None:
        """Rows of a table, or None if it is none (a view) or cannot be counted."""
        try:
            try:
                return table_rows(self._connected(), schema, table)
            except psycopg.OperationalError:
                self._connections.close()
                self._connection = None
                return table_rows(self._connected(), schema, table)
        except (psycopg.Error, TutorqError) as error:
            self._warn(f"the rows of {schema}.{table} are not counted ({type(error).__qualname__})")
            return None

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._connections.enter_context(self._database.connect(autocommit=True))
            # Between two outputs it may wait for long.
            self._connection.execute("set idle_session_timeout = 0")
        return self._connection


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
