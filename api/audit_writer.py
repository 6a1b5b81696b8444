"""The one way in which the API writes to the audit log."""

from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import asyncpg

from api.database import with_app_tables
from core.audit import INSERT, Entry, as_json

RECORD = INSERT.format(parameter="$1")
# Of the client of the request that is being answered.
ADDRESS: ContextVar[str | None] = ContextVar("address", default=None)


async def record(connection: Any, *entries: Entry) -> None:
    """Write entries in the transaction of the connection: that of the deed."""
    address = ADDRESS.get()
    await connection.execute(RECORD, as_json([replace(each, address=each.address or address) for each in entries]))


class AuditWriter:
    """For deeds that write nothing else.

    Raises (every method):
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def record(self, *entries: Entry) -> None:
        """Write entries; returns when they are committed."""
        await with_app_tables(self._pool, lambda connection: record(connection, *entries))
