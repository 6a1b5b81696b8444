"""Rows in quarantine are sealed within seconds, whoever put them there, and opened for who may read them.

Not in the transaction that puts them there: that of a load, a post or a merge in SQL. None has to wait for it.
"""

import asyncio
from collections.abc import Sequence

import asyncpg
import structlog
from pydantic_core import from_json, to_json

from api.database import with_connection
from core.errors import TutorqError
from core.sealing import LOST_KEY, MARK, Sealer, has_key, sealer, text_sealer
from core.settings import Settings

EVERY_SECONDS = 5.0
BATCH_ROWS = 500

UNSEALED = f"""
select quarantine_id, content from raw.quarantine
where not starts_with(content, '{MARK}')
order by quarantine_id
limit {BATCH_ROWS}
for update skip locked
"""
SEAL = """
update raw.quarantine as refused set content = sealed.content
from unnest($1::bigint[], $2::text[]) as sealed (quarantine_id, content)
where refused.quarantine_id = sealed.quarantine_id
"""

log = structlog.get_logger("api")


async def seal_refused_rows(pool: asyncpg.Pool, settings: Settings) -> None:
    """Seal what comes, until cancelled; nothing where there is no key."""
    while has_key(settings):
        await asyncio.sleep(EVERY_SECONDS)
        try:
            while await with_connection(pool, lambda connection: seal_some(connection, settings)) == BATCH_ROWS:
                pass
        except Exception as error:  # the next look may do better; doctor counts what is not sealed
            log.warning("rows in quarantine are not sealed", error=type(error).__qualname__)


async def seal_some(connection: asyncpg.Connection, settings: Settings) -> int:
    """Seal a batch of rows; returns how many.

    Raises:
        TutorqError: there is no key.
    """

    def sealed(rows: Sequence[asyncpg.Record]) -> list[str]:
        box = sealer(settings)
        return [box.seal_text(row["content"]) for row in rows]

    async with connection.transaction():
        rows = await connection.fetch(UNSEALED)
        if rows:
            ids = [row["quarantine_id"] for row in rows]
            await connection.execute(SEAL, ids, await asyncio.to_thread(sealed, rows))
    return len(rows)


async def with_opened_rows(settings: Settings, body: bytes, *path: str) -> bytes:
    """An answer's JSON, with `content` of the rows at this path opened. What no key opens says so in its place."""
    if MARK.encode() not in body:
        return body
    return await asyncio.to_thread(_with_opened_rows, settings, body, path)


def _with_opened_rows(settings: Settings, body: bytes, path: Sequence[str]) -> bytes:
    answer = from_json(body)
    rows = answer
    for name in path:
        rows = rows[name]
    box = _box(settings)
    for row in rows:
        row["content"] = _opened(box, row["content"])
    return to_json(answer)


async def ids_with(settings: Settings, rows: Sequence[asyncpg.Record], text: str) -> list[int]:
    """Of rows with `quarantine_id` and sealed `content`, those whose content has this text, in any case."""

    def look() -> list[int]:
        box = _box(settings)
        wanted = text.lower()
        return [row["quarantine_id"] for row in rows if wanted in _opened(box, row["content"]).lower()]

    return await asyncio.to_thread(look)


def _box(settings: Settings) -> Sealer | None:
    try:
        return text_sealer(settings)
    except TutorqError:
        return None


def _opened(box: Sealer | None, stored: str) -> str:
    if not stored.startswith(MARK):
        return stored
    try:
        return box.open_text(stored) if box else f"({LOST_KEY})"
    except TutorqError as error:
        return f"({error})"
