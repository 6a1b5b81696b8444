"""Has the audit log tell of settings that differ from those of the last start."""

import asyncio

import structlog

from core.database import Database
from core.settings import Settings
from core.settings_changes import note_changes

SERVICE = "api"
# The database may come later than the API, and so may its migrations.
RETRY_SECONDS = 10

log = structlog.get_logger("api")


async def watch_settings(settings: Settings, database: Database) -> None:
    """Compare once, as soon as the database can be read."""
    while True:
        try:
            changed = await asyncio.to_thread(_note, settings, database)
        except Exception as error:
            log.info("settings not compared yet", error=type(error).__qualname__)
            await asyncio.sleep(RETRY_SECONDS)
        else:
            if changed:
                log.info("settings changed", names=changed)
            return


def _note(settings: Settings, database: Database) -> list[str]:
    with database.connect() as connection:
        return note_changes(connection, settings, SERVICE)
