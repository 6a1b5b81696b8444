"""Reads each event once for all streams of the process, and gives it to those who may see it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import structlog
from prometheus_client import Gauge

from api.browser_sessions import BrowserCaller
from api.callers import AnyCaller
from api.events import messages
from api.events.cursor import Cursor
from api.events.listener import Listener
from api.events.queries import Ledger, Reading
from api.events.streams import Stream, Streams
from api.problems import ApiError, DatabaseUnavailableError
from core.events import CHANNEL

POOL_SIZE = 2
# Posts that come closer together are told together.
PAUSE_SECONDS = 0.1
# Where nothing is heard, events are looked for; where it is, a look now and then does no harm.
LOOK_EVERY_SECONDS, LOOK_EVERY_SECONDS_WHILE_LISTENING = 2.0, 30.0
HEARTBEAT_SECONDS = 15.0
# Well within the minute that is promised for a log-in that was ended.
CHECK_SECONDS = 20.0
FORGET_SECONDS = 600.0

log = structlog.get_logger("api")


class Hub:
    """All that streams need. `run` has to be running."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        url: str,
        most_streams: int,
        gauge: Gauge,
        forget_outdated: Callable[[], Awaitable[None]],
    ) -> None:
        """`forget_outdated` is called whenever something may have changed."""
        self._ledger = Ledger(pool)
        self._pool = pool
        self._wanted = asyncio.Event()
        self._listener = Listener(url, self._wanted.set, self._notify)
        self._streams = Streams(most_streams, gauge)
        self._cursor: Cursor | None = None
        self._reading = asyncio.Lock()
        self._begun = 0
        self._forget_outdated = forget_outdated

    @property
    def is_listening(self) -> bool:
        """Whether the database says when there is something to read."""
        return self._listener.is_listening

    def end_streams(self) -> None:
        """For good, at once: the process ends."""
        self._streams.end()

    @asynccontextmanager
    async def stream(
        self, caller: AnyCaller, check: Callable[[], Awaitable[bool]], since: Cursor | None, *, is_mine: bool
    ) -> AsyncIterator[tuple[Stream, bytes]]:
        """A stream, and the first chunk of it: what has been missed since the cursor.

        Raises:
            TooManyAtOnceError, OverloadedError: there is no room.
            DatabaseUnavailableError: the server cannot be reached, or not in time.
        """
        self._streams.require_room(caller)
        stream = Stream(caller, check, is_mine=is_mine)
        if stream.is_mine:
            await self._renew_teams([stream])
        here = await self._now()
        # From here to the next `await` nothing is read, so what follows and what is missed fit together.
        self._streams.require_room(caller)
        with self._streams.place(stream):
            missed = b""
            if since is not None:
                reading = await self._ledger.read(since, here)
                is_reset = reading.has_gap or since.history != here.history
                missed = messages.chunk(reading.events, here, is_reset=is_reset, tutors=stream.tutors)
            yield stream, messages.beginning() + (missed or messages.heartbeat(here))

    async def run(self) -> None:
        """Read, look after the streams and forget what is old, until cancelled. No failure ends it."""
        async with asyncio.TaskGroup() as group:
            for work in (
                self._listener.run(),
                self._read_on(),
                self._again_and_again(self._beat, HEARTBEAT_SECONDS),
                self._again_and_again(self._check, CHECK_SECONDS),
                self._again_and_again(self._forget, FORGET_SECONDS),
            ):
                group.create_task(work)

    async def _read_on(self) -> None:
        while True:
            seconds = LOOK_EVERY_SECONDS_WHILE_LISTENING if self.is_listening else LOOK_EVERY_SECONDS
            try:
                async with asyncio.timeout(seconds):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            self._wanted.clear()
            try:
                await self._forget_outdated()
            except ApiError:
                pass  # requests tell of that
            except Exception as error:
                log.warning("answers in memory not looked after", error=type(error).__qualname__)
            # Who comes later begins with a reading.
            if self._streams:
                try:
                    await self._now()
                except Exception as error:  # the database is away, say: the next look finds it all
                    log.warning("events not read", error=type(error).__qualname__)
                    self._wanted.set()
                    await asyncio.sleep(LOOK_EVERY_SECONDS)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _now(self) -> Cursor:
        """Where this process stands after a reading that began after this call. Those who ask at one time share it."""
        asked = self._begun
        async with self._reading:
            if self._cursor is None or self._begun == asked:
                self._begun += 1
                try:
                    await self._read()
                except BaseException:
                    self._begun -= 1  # whoever waits for it has to read
                    raise
            assert self._cursor is not None
            return self._cursor

    async def _read(self) -> None:
        # Without streams nobody has missed anything.
        before = self._cursor if self._streams else None
        reading = await self._ledger.read(before)
        self._cursor = reading.cursor
        if before is not None:
            self._tell(reading, is_reset=reading.has_gap or reading.cursor.history != before.history)

    def _tell(self, reading: Reading, *, is_reset: bool) -> None:
        if not reading.events and not is_reset:
            return
        of_all = messages.chunk(reading.events, reading.cursor, is_reset=is_reset)
        for stream in self._streams:
            stream.offer(
                of_all
                if stream.tutors is None
                else messages.chunk(reading.events, reading.cursor, is_reset=is_reset, tutors=stream.tutors)
            )

    async def _beat(self) -> None:
        if self._cursor is not None:
            beat = messages.heartbeat(self._cursor)
            for stream in self._streams:
                stream.offer(beat)

    async def _check(self) -> None:
        """End the streams of those who may not listen any more, or are somebody else by now."""
        streams = list(self._streams)
        of_browsers = {
            stream: stream.caller.browser_session_id for stream in streams if isinstance(stream.caller, BrowserCaller)
        }
        if of_browsers:
            roles = await self._ledger.roles_of_open_browsers(list(of_browsers.values()))
            for stream, browser_session_id in of_browsers.items():
                if roles.get(browser_session_id) != stream.caller.role:
                    stream.end()
        for stream in streams:
            if stream not in of_browsers and not await stream.check():
                stream.end()
        await self._renew_teams([stream for stream in streams if stream.is_mine])

    async def _renew_teams(self, streams: list[Stream]) -> None:
        people = {stream: stream.person_id for stream in streams if stream.person_id is not None}
        if people:
            teams = await self._ledger.teams(sorted(set(people.values())))
            for stream, person_id in people.items():
                stream.tutors = teams[person_id]

    async def _forget(self) -> None:
        if forgotten := await self._ledger.forget():
            log.info("old events deleted", events=forgotten)

    async def _notify(self) -> None:
        """
        Raises:
            OSError, asyncpg.PostgresError: the server cannot be reached.
        """
        async with self._pool.acquire(timeout=LOOK_EVERY_SECONDS) as connection:
            await connection.execute("select pg_notify($1, '')", CHANNEL)

    @staticmethod
    async def _again_and_again(work: Callable[[], Coroutine[Any, Any, None]], seconds: float) -> None:
        while True:
            try:
                await work()
            except DatabaseUnavailableError:
                pass  # readings tell of that
            except Exception as error:
                log.warning("streams not looked after", error=type(error).__qualname__)
            await asyncio.sleep(seconds)
