"""Settings of scoring as they are configured, applied and published."""

from dataclasses import asdict
from typing import Any

import asyncpg
from pydantic_core import from_json

from api.database import with_app_tables
from api.scoring_settings.schemas import AppliedSettings, Scoring, ScoringResponse, ScoringSetting
from core import scoring_settings
from core.scoring_settings import TURNABLE
from core.settings import Settings

HISTORY = """
select coalesce(json_agg(applied order by settings_id desc), '[]')
from (
    select settings_id, settings, note, applied_at, applied_by from app.scoring_settings
    order by settings_id desc
    limit 50
) as applied
"""
PUBLISHED = "select to_json(publication) from marts.publication"
IS_PUBLISHED = "select to_regclass('marts.publication') is not null"


class ScoringQueries:
    """Reads what is in force.

    Raises (every method):
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    """

    def __init__(self, pool: asyncpg.Pool, settings: Settings) -> None:
        self._pool = pool
        self._settings = settings

    async def current(self) -> bytes:
        """A `ScoringResponse`."""

        async def read(connection: Any) -> tuple[bytes, bytes | None]:
            history = await connection.fetchval(HISTORY)
            published = await connection.fetchval(PUBLISHED) if await connection.fetchval(IS_PUBLISHED) else None
            return history, published

        history_json, published_json = await with_app_tables(self._pool, read)
        history = [AppliedSettings.model_validate(row) for row in from_json(history_json)]
        published = scoring_settings.of_publication(from_json(published_json)) if published_json else {}
        configured = scoring_settings.configured(self._settings)
        wanted = {**configured, **(scoring_settings.allowed(history[0].settings) if history else {})}
        settings = [
            ScoringSetting(
                **asdict(turnable),
                configured=configured[turnable.name],
                value=wanted[turnable.name],
                published=published.get(turnable.name),
            )
            for turnable in TURNABLE
        ]
        is_published = all(setting.published == setting.value for setting in settings)
        data = Scoring(settings=settings, is_published=is_published, history=history)
        return ScoringResponse(data=data).model_dump_json().encode()
