"""What a query gives, kept in memory, and asked for again when it is too old for whoever needs it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

# However many credentials that nobody knows come in, the database is asked five times a second at most.
PAUSE_SECONDS = 0.2

Value = TypeVar("Value")


class Reloaded(Generic[Value]):
    """Everybody who waits shares one look at the database.

    Raises (every coroutine): what `load` raises, for all who waited for this look.
    """

    def __init__(self, load: Callable[[], Awaitable[Value]], clock: Callable[[], float] = time.monotonic) -> None:
        self._load = load
        self._clock = clock
        self._lock = asyncio.Lock()
        self._began_at = float("-inf")
        self._is_complete = False
        self._value: Value | None = None
        self._seen_at = float("-inf")
        self._error: Exception | None = None

    def recent(self, seconds: float) -> Value | None:
        """What was seen by a look that began within the last `seconds`, also while there is another look; else None."""
        return self._value if self._clock() - self._seen_at < seconds else None

    async def now(self) -> Value:
        """What is seen by a look that begins after this call."""
        asked_at = self._clock()
        async with self._lock:
            if self._began_at < asked_at or not self._is_complete:
                await self._look()
            if self._error is not None:
                raise self._error
            assert self._value is not None, "a look ends in a value or an error"
            return self._value

    async def _look(self) -> None:
        await asyncio.sleep(max(0.0, self._began_at + PAUSE_SECONDS - self._clock()))
        self._began_at = self._clock()
        self._is_complete = False  # and stays so if whoever looks is cancelled
        try:
            self._value, self._error = await self._load(), None
            self._seen_at = self._began_at
        except Exception as error:
            self._error = error
        self._is_complete = True
