"""How much one client may have under way at a time, so that it does not keep others out."""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from api.callers import AnyCaller
from api.problems import OverloadedError, TooManyAtOnceError


@dataclass(slots=True)
class _Line:
    """Those of one key who work or wait."""

    places: asyncio.Semaphore
    members: int = 0


class Turns:
    """Lets `per_key` requests of one key, and `in_all` of all keys, be worked on at a time.

    The others wait, first for their own key and then, in the order in which they came, for the rest. So a key that asks
    for more than its share waits for itself, and nobody else waits behind its line.
    """

    def __init__(self, what: str, *, per_key: int, in_all: int) -> None:
        self._what = what
        self._per_key = per_key
        self._places = asyncio.Semaphore(in_all)
        self._lines: dict[Hashable, _Line] = {}

    @asynccontextmanager
    async def turn(self, caller: AnyCaller, patience_seconds: float) -> AsyncIterator[None]:
        """To be held for as long as the work lasts.

        Raises:
            TooManyAtOnceError: requests of the same key took too long.
            OverloadedError: those of others did.
        """
        deadline = asyncio.get_running_loop().time() + patience_seconds
        headers = {"Retry-After": f"{patience_seconds:.0f}"}
        who = caller.counted_as
        line = self._lines.setdefault(who, _Line(asyncio.Semaphore(self._per_key)))
        line.members += 1
        try:
            if not await _acquired(line.places, deadline):
                detail = f"{self._per_key} {self._what} of this key are in progress; wait for their answers."
                raise TooManyAtOnceError(detail, headers=headers)
            try:
                if not await _acquired(self._places, deadline):
                    raise OverloadedError(f"Other {self._what} are in progress.", headers=headers)
                try:
                    yield
                finally:
                    self._places.release()
            finally:
                line.places.release()
        finally:
            line.members -= 1
            if not line.members:
                del self._lines[who]


async def _acquired(places: asyncio.Semaphore, deadline: float) -> bool:
    if not places.locked():
        # What is free is had without a timer.
        return await places.acquire()
    try:
        async with asyncio.timeout_at(deadline):
            return await places.acquire()
    except TimeoutError:
        return False
