"""Dismisses rows from the quarantine, together with an entry in the audit log."""

from typing import Any

import asyncpg

from api.audit_writer import record
from api.database import with_app_tables
from api.problems import NotFoundError
from api.quarantine.queries import CONDITIONS, condition_arguments
from api.quarantine.schemas import QuarantineConditions
from core.audit import Action, Entry
from core.settings import Settings

DISMISS = "delete from raw.quarantine where quarantine_id = $1 returning entity, source, line"
DISMISS_ALL = f"""
with gone as (delete from raw.quarantine where {CONDITIONS} returning quarantine_id)
select count(*) from gone
"""
KIND = "quarantine"


class Dismissals:
    """Deletes rows of `raw.quarantine`. The audit log keeps no content of them: it is what somebody did not want.

    Raises (every method):
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    """

    def __init__(self, pool: asyncpg.Pool, settings: Settings) -> None:
        self._pool = pool
        self._settings = settings

    async def dismiss(self, quarantine_id: int, actor: str) -> None:
        """
        Raises:
            NotFoundError: there is no such row.
        """

        async def work(connection: Any) -> None:
            async with connection.transaction():
                gone = await connection.fetchrow(DISMISS, quarantine_id)
                if gone is None:
                    raise NotFoundError("There is no row with this number in quarantine.")
                entry = Entry(actor, Action.QUARANTINE_DISMISS, KIND, str(quarantine_id), dict(gone))
                await record(connection, entry)

        await with_app_tables(self._pool, work)

    async def dismiss_all(self, conditions: QuarantineConditions, actor: str) -> int:
        """How many rows fulfilled the conditions, and are gone."""

        async def work(connection: Any) -> int:
            async with connection.transaction():
                arguments = await condition_arguments(connection, self._settings, conditions)
                count: int = await connection.fetchval(DISMISS_ALL, *arguments)
                if count:
                    details = {"rows": count, "where": conditions.model_dump(mode="json", exclude_none=True)}
                    await record(connection, Entry(actor, Action.QUARANTINE_DISMISS, KIND, "many", details))
                return count

        dismissed: int = await with_app_tables(self._pool, work)
        return dismissed
