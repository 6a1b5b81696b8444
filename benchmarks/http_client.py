"""A client that asks for one thing again and again over kept-alive connections; run in a process of its own."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import uvloop

WARM_UP_SHARE = 0.2


@dataclass(frozen=True)
class Throughput:
    """Answers per second, quantiles of the time to an answer, the share of a core that asking took, and how many came,
    warm-up and all."""

    per_second: float
    p50_milliseconds: float
    p99_milliseconds: float
    busy: float
    answers: int


@dataclass(frozen=True)
class Request:
    """What to ask for, and the status of the answer."""

    path: str
    headers: Mapping[str, str]
    status: int


class _Connection(asyncio.Protocol):
    """One kept-alive connection with at most one request under way.

    Knows just enough HTTP to find the end of an answer: the client must cost little beside what it measures.
    """

    def __init__(self, request: bytes, status: int) -> None:
        self._request = request
        self._start = f"HTTP/1.1 {status} ".encode()
        self._has_body = status != 304
        self._transport: asyncio.Transport | None = None
        self._answered: asyncio.Future[None] | None = None
        self._head = b""
        self._missing = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # No isinstance: uvloop's transports are not derived from asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
        else:
            self._head += data
            head, end, body = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            self._head = b""
            if not head.startswith(self._start):
                self._settle(RuntimeError(f"the answer was {head.splitlines()[0].decode()}"))
                return
            if self._has_body:
                length = head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
                self._missing = int(length) - len(body)
        if not self._missing:
            self._settle(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._settle(error or ConnectionResetError("the server hung up"))

    def ask(self) -> Awaitable[None]:
        """Send the request; the answer has arrived when this is done."""
        assert self._transport is not None
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(self._request)
        return self._answered

    def _settle(self, error: Exception | None) -> None:
        if self._answered is None or self._answered.done():
            return
        if error is None:
            self._answered.set_result(None)
        else:
            self._answered.set_exception(error)


def drive(port: int, requests: Sequence[Request], connections: int, seconds: float) -> list[Throughput]:
    """Ask a server of this machine for one thing after the other, from several connections at once.

    Raises:
        RuntimeError: an answer has another status.
    """

    async def main(request: Request) -> Throughput:
        return await repeat(await _connect(port, request, connections), seconds)

    return [uvloop.run(main(request)) for request in requests]


def ask_times(port: int, request: Request, connections: int, times: int) -> float:
    """Ask a server of this machine `times` times from several connections at once; seconds.

    Raises:
        RuntimeError: an answer has another status.
    """

    async def main() -> float:
        return await repeat_times(await _connect(port, request, connections), times)

    return uvloop.run(main())


def pace(
    port: int, requests: Sequence[Request], per_second: Sequence[float], connections: int, seconds: float
) -> list[float]:
    """The same at constant rates, whatever the server does. Returns the 99% quantile of the time to an answer, in ms.

    The time counts from when the request was due, so one that had to wait for a free connection is not flattered.
    Timers are exact to a millisecond.

    Raises:
        RuntimeError: an answer has another status.
    """

    async def main(request: Request, rate: float) -> float:
        return await keep_pace(await _connect(port, request, connections), rate, seconds)

    return [uvloop.run(main(request, rate)) for request, rate in zip(requests, per_second, strict=True)]


async def _connect(port: int, request: Request, connections: int) -> list[Callable[[], Awaitable[None]]]:
    lines = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    text = f"GET {request.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}\r\n".encode()
    loop = asyncio.get_running_loop()
    return [
        (await loop.create_connection(lambda: _Connection(text, request.status), "127.0.0.1", port))[1].ask
        for _ in range(connections)
    ]


async def repeat(askers: list[Callable[[], Awaitable[None]]], seconds: float) -> Throughput:
    """Let every asker ask, one question after the other, after a short time to warm up."""
    times: list[float] = []

    async def keep_asking(ask: Callable[[], Awaitable[None]], until: float) -> None:
        while (started := time.perf_counter()) < until:
            await ask()
            times.append(time.perf_counter() - started)

    async def all_asking(duration: float) -> float:
        started = time.perf_counter()
        await asyncio.gather(*(keep_asking(ask, started + duration) for ask in askers))
        return time.perf_counter() - started

    await all_asking(seconds * WARM_UP_SHARE)
    before = len(times)
    times.clear()
    cpu = time.process_time()
    duration = await all_asking(seconds)
    p50, p99 = np.quantile(times, [0.5, 0.99]) * 1000
    busy = (time.process_time() - cpu) / duration
    return Throughput(len(times) / duration, float(p50), float(p99), busy, before + len(times))


async def repeat_times(askers: list[Callable[[], Awaitable[None]]], times: int) -> float:
    """Let askers ask `times` times in all, each time whoever is free first; seconds."""
    left = iter(range(times))

    async def keep_asking(ask: Callable[[], Awaitable[None]]) -> None:
        for _ in left:
            await ask()

    started = time.perf_counter()
    await asyncio.gather(*map(keep_asking, askers))
    return time.perf_counter() - started


async def keep_pace(askers: list[Callable[[], Awaitable[None]]], per_second: float, seconds: float) -> float:
    """Ask at times that are fixed beforehand, each time whoever is free first, once warm; as `pace`."""
    times: list[float] = []
    warm = time.perf_counter() + seconds * WARM_UP_SHARE
    before, after = round(per_second * seconds * WARM_UP_SHARE), max(1, round(per_second * seconds))
    moments = iter([warm + place / per_second for place in range(-before, after)])

    async def keep_asking(ask: Callable[[], Awaitable[None]]) -> None:
        for due in moments:
            await asyncio.sleep(due - time.perf_counter())
            await ask()
            if due >= warm:
                times.append(time.perf_counter() - due)

    await asyncio.gather(*map(keep_asking, askers))
    return float(np.quantile(times, 0.99)) * 1000
