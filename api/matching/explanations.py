"""Texts for a pair: kept ones, else by the language model, else by rules, and always within the deadline."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any, Literal, NamedTuple

import asyncpg
import structlog

from api.database import with_connection
from api.problems import ApiError
from core import locks
from core.settings import Settings
from ml.explain import PROMPT_VERSION, MatchFacts, Texts, UnusableTextError, cache_key, prompt, rule_texts
from ml.writing import TextWriter, WriterFailedError, open_writer

# While the language model is down, nobody waits for it, and no budget is spent on it.
REST_SECONDS = 30
LOOK_AGAIN_SECONDS = 0.2

FIND = "select body from app.explanations where cache_key = $1"
KEEP = """
insert into app.explanations (cache_key, source, prompt_version, body) values ($1, 'model', $2, $3::jsonb)
on conflict (cache_key) do nothing
"""
# Held to the end of the transaction: calls are counted and added by one process at a time.
ONE_AT_A_TIME = f"select pg_advisory_xact_lock({locks.EXPLANATION})"
STATE = """
select
    count(*) filter (where cache_key = $1 and outcome is null and ends_at > clock_timestamp()) > 0 as is_under_way,
    exists (select from app.explanations where cache_key = $1) as is_kept,
    count(*) filter (
        where (outcome = 'failed' or (outcome = 'unusable' and cache_key = $1))
            and ended_at > clock_timestamp() - make_interval(secs => $4)
    ) > 0 as is_resting,
    count(*) filter (where started_at >= date_trunc('day', clock_timestamp(), $2)) >= $3 as is_spent
from app.explanation_calls
where started_at > clock_timestamp() - interval '25 hours'
"""
BEGIN = """
insert into app.explanation_calls (cache_key, ends_at) values ($1, clock_timestamp() + make_interval(secs => $2))
returning call_id
"""
END = """
update app.explanation_calls set ended_at = clock_timestamp(), outcome = $2, reason = $3 where call_id = $1
"""

log = structlog.get_logger("api")


class Written(NamedTuple):
    """The texts, and who wrote them. `is_final`: asking again gives the same as long as the numbers stay."""

    source: Literal["model", "rules"]
    texts: Texts
    is_final: bool


class _NoTextError(Exception):
    """The language model gives no text now; the text says why."""


class Explainer:
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
        self._flights: dict[str, asyncio.Task[Texts]] = {}

    async def explain(self, facts: MatchFacts, deadline: float) -> Written:
        """Texts by the language model if it gives some until `deadline` (of the loop's clock), else by rules."""
        if self._writer is None:
            return Written("rules", rule_texts(facts), is_final=True)
        key = cache_key(facts, self._writer.name)
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.create_task(self._fly(key, prompt(facts), self._writer))
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
        log.info("explained by rules", reason=reason)
        return Written("rules", rule_texts(facts), is_final=False)

    async def close(self) -> None:
        """End what is under way."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
        if self._writer is not None:
            await self._writer.close()

    def _landed(self, key: str, flight: asyncio.Task[Texts]) -> None:
        del self._flights[key]
        if not flight.cancelled():
            flight.exception()  # asked for, because perhaps nobody waits for it any longer

    async def _fly(self, key: str, facts: str, writer: TextWriter) -> Texts:
        async with asyncio.timeout(self._seconds):
            call_id = None
            while call_id is None:
                kept = await self._run(lambda connection: connection.fetchval(FIND, key))
                if kept is not None:
                    return Texts(**json.loads(kept))
                call_id = await self._run(lambda connection: self._begin(connection, key))
                if call_id is None:
                    await asyncio.sleep(LOOK_AGAIN_SECONDS)
            return await self._call(call_id, key, facts, writer)

    async def _call(self, call_id: int, key: str, facts: str, writer: TextWriter) -> Texts:
        outcome, reason = "failed", "deadline"
        try:
            texts = await writer.write(facts)
        except UnusableTextError as error:
            outcome, reason = "unusable", str(error)
            raise
        except WriterFailedError as error:
            reason = str(error)
            raise
        else:
            await self._run(lambda connection: self._keep(connection, call_id, key, texts))
            outcome = "written"
            return texts
        finally:
            if outcome != "written":
                # A task of its own, as this one is being cancelled when time is up.
                await asyncio.shield(asyncio.create_task(self._note_failure(call_id, outcome, reason)))

    async def _keep(self, connection: Any, call_id: int, key: str, texts: Texts) -> None:
        """At once, so that whoever waits for the call to end finds its text."""
        async with connection.transaction():
            await connection.execute(KEEP, key, PROMPT_VERSION, json.dumps(asdict(texts), ensure_ascii=False))
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
            log.warning("outcome of an explanation not noted", error=type(error).__qualname__)

    async def _run(self, work: Any) -> Any:
        return await with_connection(self._pool, work)


@asynccontextmanager
async def open_explainer(pool: asyncpg.Pool, settings: Settings) -> AsyncIterator[Explainer]:
    """The explainer of these settings, closed on leaving."""
    key = settings.openai_api_key
    # In a thread: importing the client takes half a second.
    writer = await asyncio.to_thread(
        open_writer,
        base_url=settings.openai_base_url,
        api_key=key.get_secret_value() if key else None,
        model=settings.openai_model,
        seconds=settings.explanation_seconds,
    )
    explainer = Explainer(
        pool,
        writer,
        seconds=settings.explanation_seconds,
        daily_budget=settings.explanation_daily_budget,
        timezone=settings.timezone,
    )
    try:
        yield explainer
    finally:
        await explainer.close()
