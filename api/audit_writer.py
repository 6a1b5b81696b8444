"""The one way in which the API writes to the audit log."""

from typing import Any

import asyncpg

from api.database import with_app_tables
from core.audit import INSERT, Entry, as_json

RECORD = INSERT.format(parameter="$1")


async def record(connection: Any, *entries: Entry) -> None:
    """Write entries in the transaction of the connection: that of the deed."""
    await connection.execute(RECORD, as_json(entries))


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
