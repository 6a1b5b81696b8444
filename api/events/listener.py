"""Hears that events have been committed: one connection per process, which does nothing else."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import asyncpg
import structlog

from api.database import CONNECT_TIMEOUT_SECONDS
from core.events import CHANNEL
from core.postgres_urls import for_asyncpg

# An idle connection that is dropped on its way is noticed by this, and so is a pooler that shares connections between
# transactions: it takes LISTEN, and nothing is ever heard.
PROBE_SECONDS = 60
HEARD_WITHIN_SECONDS = 3
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0

log = structlog.get_logger("api")


class Listener:
    """Calls `heard` for each notification. `run` has to be running; while `is_listening` is false, nobody may rely on
    being called."""

    def __init__(self, url: str, heard: Callable[[], None], notify: Callable[[], Awaitable[None]]) -> None:
        """`notify` sends a notification by another connection, as a trial."""
        self._url = url
        self._heard = heard
        self._notify = notify
        self._probed = asyncio.Event()
        self.is_listening = False

    async def run(self) -> None:
        """Listen, and connect again when the connection is lost, until cancelled."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                await self._listen()
                pause = FIRST_PAUSE_SECONDS
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
                log.warning("not told of events, so they are looked for", error=type(error).__qualname__)
            finally:
                if self.is_listening:
                    pause = FIRST_PAUSE_SECONDS
                self.is_listening = False
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _listen(self) -> None:
        """Until the connection is lost.

        Raises:
            TimeoutError: nothing is heard by it.
        """
        address, _ = for_asyncpg(self._url)
        connection = await asyncpg.connect(
            **address, timeout=CONNECT_TIMEOUT_SECONDS, server_settings={"application_name": "tutorq-api events"}
        )
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(CHANNEL, self._told)
            while not lost.is_set():
                self._probed.clear()
                await self._notify()
                async with asyncio.timeout(HEARD_WITHIN_SECONDS):
                    await self._probed.wait()
                self.is_listening = True
                with suppress(TimeoutError):
                    async with asyncio.timeout(PROBE_SECONDS):
                        await lost.wait()
        finally:
            connection.terminate()

    def _told(self, *_: Any) -> None:
        self._probed.set()
        self._heard()
