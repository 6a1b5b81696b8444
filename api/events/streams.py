"""The open streams of one process: who may have one, and what waits to be sent to each."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterator
from contextlib import contextmanager
from uuid import UUID

from prometheus_client import Gauge

from api.callers import AnyCaller
from api.events import messages
from api.events.cursor import Cursor
from api.problems import OverloadedError, TooManyAtOnceError

PER_CALLER = 20
# Chunks that wait for a client. One that reads slower comes back and goes on from the last one that it got.
MOST_WAITING = 64
RETRY_AFTER_SECONDS = 30
_END = b""


class Stream:
    """What is sent to one client. Chunks are given by `offer`, and taken out once, by iterating over `chunks`."""

    def __init__(self, caller: AnyCaller, check: Callable[[], Awaitable[bool]], *, is_mine: bool) -> None:
        self.caller = caller
        # Whether the caller may still listen; costs a look at the credential.
        self.check = check
        # Only what is about the caller's own tutors; else about everybody.
        self.is_mine = is_mine
        self.tutors: frozenset[UUID] | None = frozenset() if is_mine else None
        # What has been told by the time at which the stream was opened is not in here.
        self.opened_at: Cursor | None = None
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(MOST_WAITING + 1)
        self._is_over = False

    @property
    def person_id(self) -> int | None:
        return getattr(self.caller, "person_id", None)

    def offer(self, chunk: bytes) -> None:
        """Send this next; ends the stream if too much waits already."""
        if self._is_over or not chunk:
            return
        if self._waiting.qsize() >= MOST_WAITING:
            self._drop()
            self.end()
            return
        self._waiting.put_nowait(chunk)

    def end(self) -> None:
        """Send nothing more than what waits."""
        if not self._is_over:
            self._is_over = True
            self._waiting.put_nowait(_END)

    async def chunks(self, first: bytes) -> AsyncIterator[bytes]:
        """What is to be sent, until the end."""
        yield first
        while chunk := await self._waiting.get():
            yield chunk

    def _drop(self) -> None:
        while not self._waiting.empty():
            self._waiting.get_nowait()


class Streams:
    """All streams of this process."""

    def __init__(self, most: int, gauge: Gauge) -> None:
        self._most = most
        self._gauge = gauge
        self._open: set[Stream] = set()
        self._of: Counter[Hashable] = Counter()
        self._is_over = False

    def __iter__(self) -> Iterator[Stream]:
        return iter(tuple(self._open))

    def __len__(self) -> int:
        return len(self._open)

    def require_room(self, caller: AnyCaller) -> None:
        """
        Raises:
            TooManyAtOnceError: the caller has as many as one may have.
            OverloadedError: the process has.
        """
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        if self._of[caller.counted_as] >= PER_CALLER:
            raise TooManyAtOnceError(f"{PER_CALLER} event streams are open for this caller.", headers=headers)
        if len(self._open) >= self._most:
            raise OverloadedError("Too many event streams are open.", headers=headers)

    @contextmanager
    def place(self, stream: Stream) -> Iterator[None]:
        """Counts the stream for as long as it lasts."""
        self._open.add(stream)
        self._of[stream.caller.counted_as] += 1
        self._gauge.set(len(self._open))
        if self._is_over:
            stream.end()
        try:
            yield
        finally:
            self._open.discard(stream)
            self._of[stream.caller.counted_as] -= 1
            if not self._of[stream.caller.counted_as]:
                del self._of[stream.caller.counted_as]
            self._gauge.set(len(self._open))

    def end(self) -> None:
        """End all of them, and each that comes after its first chunk: the process ends. They come back elsewhere, not
        all at once."""
        self._is_over = True
        for stream in self._open:
            stream.offer(messages.come_back())
            stream.end()
