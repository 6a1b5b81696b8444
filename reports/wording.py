"""Texts by a language model for mail: asked for beforehand, kept in the database, and looked up when mail is queued."""

import asyncio
import json
from dataclasses import asdict
from typing import Any, TypeVar

import psycopg
import structlog

from core.database import Database
from core.settings import Settings
from core.text_calls import BEGIN, END, FIND, KEEP, ONE_AT_A_TIME, REST_SECONDS, STATE
from ml.texts import TextTask, UnusableTextError
from ml.writing import WriterFailedError, open_writer, writer_name

Texts = TypeVar("Texts")

log = structlog.get_logger("reports")


def kept(connection: psycopg.Connection, settings: Settings, task: TextTask[Texts]) -> Texts | None:
    """The texts that a language model has written for this task; None without any."""
    name = writer_name(**_of(settings))
    if name is None:
        return None
    with psycopg.RawCursor(connection) as cursor:
        row = cursor.execute(FIND, [task.key(name)]).fetchone()
    return None if row is None else task.form(**row[0])


def ask(database: Database, settings: Settings, task: TextTask[Any]) -> None:
    """Have the texts written and kept, if a language model is set and may be asked now; whatever fails is noted.

    Lasts `TUTORQ_EXPLANATION_SECONDS` at most, and holds no connection meanwhile.
    """
    name = writer_name(**_of(settings))
    if name is None:
        return
    key = task.key(name)
    call_id = _begin(database, settings, key)
    if call_id is None:
        return
    outcome, reason, texts = asyncio.run(_call(settings, task))
    if reason:
        log.info("written by rules", reason=reason)
    with database.connect() as connection, psycopg.RawCursor(connection) as cursor:
        if texts is not None:
            cursor.execute(KEEP, [key, task.version[0], json.dumps(asdict(texts), ensure_ascii=False)])
        cursor.execute(END, [call_id, outcome, reason])


def _begin(database: Database, settings: Settings, key: str) -> int | None:
    with database.connect() as connection, psycopg.RawCursor(connection) as cursor:
        cursor.execute(ONE_AT_A_TIME)
        state = cursor.execute(
            STATE, [key, settings.timezone, settings.explanation_daily_budget, REST_SECONDS]
        ).fetchone()
        if state is None or any(state):
            return None
        row = cursor.execute(BEGIN, [key, settings.explanation_seconds]).fetchone()
    return None if row is None else int(row[0])


async def _call(settings: Settings, task: TextTask[Any]) -> tuple[str, str | None, Any]:
    """Outcome, why there is no text, and the texts."""
    writer = open_writer(**_of(settings), seconds=settings.explanation_seconds)
    assert writer is not None
    try:
        async with asyncio.timeout(settings.explanation_seconds):
            return "written", None, await writer.write(task)
    except UnusableTextError as error:
        return "unusable", str(error), None
    except WriterFailedError as error:
        return "failed", str(error), None
    except TimeoutError:
        return "failed", "deadline", None
    finally:
        await writer.close()


def _of(settings: Settings) -> dict[str, Any]:
    key = settings.openai_api_key
    return {
        "base_url": settings.openai_base_url,
        "api_key": key.get_secret_value() if key else None,
        "model": settings.openai_model,
    }
