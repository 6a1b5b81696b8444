"""Asking what-ifs. A run of Dagster answers them, one at a time."""

import json
from typing import Any
from uuid import UUID

import asyncpg

from api.bodies import invalid
from api.database import with_app_tables
from api.problems import FieldError, NotPublishedError, OverloadedError
from api.scoring_settings.commands import NEWEST, checked, read_applied
from api.scoring_settings.queries import IS_PUBLISHED
from api.what_if.schemas import WhatIfPost
from core import scoring_settings
from core.settings import Settings

RETRY_SECONDS = 15
KEPT = "delete from app.what_ifs where asked_at < now() - interval '7 days'"
# Whoever answered it is gone, or nobody is there to answer.
GIVE_UP = """
update app.what_ifs set state = 'failed', error = 'no answer came in time; is Dagster running?'
where state in ('queued', 'running') and touched_at < now() - interval '15 minutes'
"""
ACTIVE = "select asked_by from app.what_ifs where state in ('queued', 'running')"
ASK = "insert into app.what_ifs (settings, weeks, asked_by) values ($1::text::jsonb, $2, $3) returning what_if_id"


class WhatIfs:
    """Notes questions.

    Raises (every method):
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    """

    def __init__(self, pool: asyncpg.Pool, settings: Settings) -> None:
        self._pool = pool
        self._settings = settings

    async def ask(self, post: WhatIfPost, actor: str) -> UUID:
        """Note a question.

        Raises:
            InvalidRequestError: the settings contradict each other, or are those in force.
            NotPublishedError: there are no scores to compare with.
            OverloadedError: another question is being answered.
        """
        changes = post.changes.changes()

        async def work(connection: Any) -> UUID:
            if not await connection.fetchval(IS_PUBLISHED):
                raise NotPublishedError("The first run has not finished.")
            applied = await connection.fetchval(NEWEST)
            configured = scoring_settings.configured(self._settings)
            if not checked(configured, read_applied(applied), changes).changed:
                raise invalid([FieldError(field="changes", message="change nothing: these settings are in force")])
            async with connection.transaction():
                await connection.execute(KEPT)
                await connection.execute(GIVE_UP)
                asked_by = await connection.fetchval(ACTIVE)
                if asked_by is not None:
                    raise _busy(asked_by)
                what_if_id: UUID = await connection.fetchval(ASK, json.dumps(changes), post.weeks, actor)
                return what_if_id

        try:
            return await with_app_tables(self._pool, work)
        except asyncpg.UniqueViolationError:
            raise _busy("somebody else") from None


def _busy(asked_by: str) -> OverloadedError:
    detail = f"One what-if is answered at a time, and {asked_by} has just asked one. Try again in a moment."
    return OverloadedError(detail, headers={"Retry-After": str(RETRY_SECONDS)})
