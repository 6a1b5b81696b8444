"""Texts by a language model: kept ones, else new ones, else those by rules, and always within the deadline."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import asyncpg
import structlog

from api.database import with_connection
from api.problems import ApiError
from core.settings import Settings
from core.text_calls import BEGIN, END, FIND, KEEP, ONE_AT_A_TIME, REST_SECONDS, STATE
from ml.texts import TextTask, UnusableTextError
from ml.writing import TextWriter, WriterFailedError, open_writer

LOOK_AGAIN_SECONDS = 0.2

Texts = TypeVar("Texts")

log = structlog.get_logger("api")


class Written(NamedTuple, Generic[Texts]):
    """The texts, and who wrote them. `is_final`: asking again gives the same as long as the numbers stay."""

    source: Literal["model", "rules"]
    texts: Texts
    is_final: bool


class _NoTextError(Exception):
    """The language model gives no text now; the text says why."""


class TextDesk:
    """Has texts written, one call for all who want the same text, here and in other processes.

    Args:
        writer: None if there is no language model.
        seconds: longest time of one call.
        daily_budget: calls a day, in `timezone`, over all processes.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        writer: TextWriter | None,
        *,
        seconds: float,
        daily_budget: int,
        timezone: str,
        rest_seconds: float = REST_SECONDS,
    ) -> None:
        self._pool = pool
        self._writer = writer
        self._seconds = seconds
        self._daily_budget = daily_budget
        self._timezone = timezone
        self._rest_seconds = rest_seconds
        self._flights: dict[str, asyncio.Task[Any]] = {}

    async def write(self, task: TextTask[Texts], by_rules: Texts, deadline: float) -> Written[Texts]:
        """Texts by the language model if it gives some until `deadline` (of the loop's clock), else those by rules."""
        if self._writer is None:
            return Written("rules", by_rules, is_final=True)
        key = task.key(self._writer.name)
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.create_task(self._fly(key, task, self._writer))
            self._flights[key] = flight
            flight.add_done_callback(lambda done: self._landed(key, done))
        try:
            async with asyncio.timeout_at(deadline):
                # The text is paid for: it is kept even if this request does not wait for it.
                return Written("model", await asyncio.shield(flight), is_final=True)
        except TimeoutError:
            reason = "deadline"
        except (_NoTextError, WriterFailedError, UnusableTextError) as error:
            reason = str(error)
        except (ApiError, asyncpg.PostgresError) as error:
            reason = type(error).__name__
        log.info("written by rules", reason=reason)
        return Written("rules", by_rules, is_final=False)

    async def close(self) -> None:
        """End what is under way."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
        if self._writer is not None:
            await self._writer.close()

    def _landed(self, key: str, flight: asyncio.Task[Any]) -> None:
        del self._flights[key]
        if not flight.cancelled():
            flight.exception()  # asked for, because perhaps nobody waits for it any longer

    async def _fly(self, key: str, task: TextTask[Texts], writer: TextWriter) -> Texts:
        async with asyncio.timeout(self._seconds):
            call_id = None
            while call_id is None:
                kept = await self._run(lambda connection: connection.fetchval(FIND, key))
                if kept is not None:
                    return task.form(**json.loads(kept))
                call_id = await self._run(lambda connection: self._begin(connection, key))
                if call_id is None:
                    await asyncio.sleep(LOOK_AGAIN_SECONDS)
            return await self._call(call_id, key, task, writer)

    async def _call(self, call_id: int, key: str, task: TextTask[Texts], writer: TextWriter) -> Texts:
        outcome, reason = "failed", "deadline"
        try:
            texts = await writer.write(task)
        except UnusableTextError as error:
            outcome, reason = "unusable", str(error)
            raise
        except WriterFailedError as error:
            reason = str(error)
            raise
        else:
            await self._run(lambda connection: self._keep(connection, call_id, key, task, texts))
            outcome = "written"
            return texts
        finally:
            if outcome != "written":
                # A task of its own, as this one is being cancelled when time is up.
                await asyncio.shield(asyncio.create_task(self._note_failure(call_id, outcome, reason)))

    async def _keep(self, connection: Any, call_id: int, key: str, task: TextTask[Any], texts: Any) -> None:
        """At once, so that whoever waits for the call to end finds its text."""
        async with connection.transaction():
            await connection.execute(KEEP, key, task.version[0], json.dumps(asdict(texts), ensure_ascii=False))
            await connection.execute(END, call_id, "written", None)

    async def _begin(self, connection: Any, key: str) -> int | None:
        """The number of the call that may be made; None if another makes it, or has just made it.

        Raises:
            _NoTextError: no call may be made now.
        """
        async with connection.transaction():
            await connection.execute(ONE_AT_A_TIME)
            state = await connection.fetchrow(STATE, key, self._timezone, self._daily_budget, self._rest_seconds)
            if state["is_under_way"] or state["is_kept"]:
                return None
            if state["is_resting"]:
                raise _NoTextError("resting after a failure")
            if state["is_spent"]:
                raise _NoTextError("daily budget used up")
            return int(await connection.fetchval(BEGIN, key, self._seconds))

    async def _note_failure(self, call_id: int, outcome: str, reason: str) -> None:
        try:
            await self._run(lambda connection: connection.execute(END, call_id, outcome, reason))
        except Exception as error:  # the call counts as made in any case
            log.warning("outcome of a call not noted", error=type(error).__qualname__)

    async def _run(self, work: Any) -> Any:
        return await with_connection(self._pool, work)


@asynccontextmanager
async def open_text_desk(pool: asyncpg.Pool, settings: Settings) -> AsyncIterator[TextDesk]:
    """The desk of these settings, closed on leaving."""
    key = settings.openai_api_key
    # In a thread: importing the client takes half a second.
    writer = await asyncio.to_thread(
        open_writer,
        base_url=settings.openai_base_url,
        api_key=key.get_secret_value() if key else None,
        model=settings.openai_model,
        seconds=settings.explanation_seconds,
    )
    desk = TextDesk(
        pool,
        writer,
        seconds=settings.explanation_seconds,
        daily_budget=settings.explanation_daily_budget,
        timezone=settings.timezone,
    )
    try:
        yield desk
    finally:
        await desk.close()
