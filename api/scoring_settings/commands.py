"""Applying settings of scoring, together with the entry in the audit log."""

import json
from collections.abc import Mapping
from typing import Any

import asyncpg
from pydantic_core import from_json

from api.audit_writer import record
from api.bodies import invalid
from api.database import with_app_tables
from api.problems import FieldError
from core import locks, scoring_settings
from core.errors import TutorqError
from core.settings import Settings

NEWEST = "select settings::json from app.scoring_settings order by settings_id desc limit 1"
APPLY = """
insert into app.scoring_settings (settings, note, applied_by) values ($1::text::jsonb, $2, $3) returning settings_id
"""


class ScoringCommands:
    """Applies settings, which count from the next run on.

    Raises (every method):
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    """

    def __init__(self, pool: asyncpg.Pool, settings: Settings) -> None:
        self._pool = pool
        self._settings = settings

    async def apply(self, changes: Mapping[str, Any] | None, note: str | None, actor: str) -> None:
        """Apply changes; without any, go back to what is configured. What changes nothing is not kept.

        Raises:
            InvalidRequestError: the settings contradict each other.
        """
        configured = scoring_settings.configured(self._settings)

        async def work(connection: Any) -> None:
            async with connection.transaction():
                await connection.execute("select pg_advisory_xact_lock($1)", locks.SETTINGS)
                applied = await connection.fetchval(NEWEST)
                step = checked(configured, read_applied(applied), changes)
                if step.changed:
                    kept = json.dumps(step.kept)
                    settings_id: int = await connection.fetchval(APPLY, kept, note, actor)
                    await record(connection, step.entry(settings_id, note, actor))

        await with_app_tables(self._pool, work)


def read_applied(row: str | None) -> dict[str, Any]:
    """What `NEWEST` has found, as far as this version knows it."""
    return scoring_settings.allowed(from_json(row)) if row else {}


def checked(
    configured: Mapping[str, Any], applied: Mapping[str, Any], changes: Mapping[str, Any] | None
) -> scoring_settings.Step:
    """What these changes make of the settings in force.

    Raises:
        InvalidRequestError: the settings contradict each other.
    """
    try:
        return scoring_settings.step(configured, applied, changes)
    except TutorqError as error:
        raise invalid([FieldError(field="changes", message=str(error))]) from error
