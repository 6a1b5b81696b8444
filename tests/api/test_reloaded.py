"""One look at the database for many who wait, and what was seen before stays meanwhile."""

import asyncio

import pytest

from api.reloaded import Reloaded


class Source:
    """A database that answers when it is let, and counts how often it was asked."""

    def __init__(self) -> None:
        self.looks = 0
        self.error: Exception | None = None
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def load(self) -> int:
        self.looks += 1
        looks = self.looks
        await self.may_answer.wait()
        if self.error is not None:
            raise self.error
        return looks


async def look_under_way(source: Source, reloaded: Reloaded[int]) -> "asyncio.Task[int]":
    source.may_answer.clear()
    before = source.looks
    task = asyncio.create_task(reloaded.now())
    while source.looks == before:
        await asyncio.sleep(0.01)
    return task


def test_what_was_seen_before_stays_while_there_is_another_look() -> None:
    async def check() -> None:
        source = Source()
        reloaded = Reloaded(source.load)
        assert reloaded.recent(60) is None
        assert await reloaded.now() == 1
        task = await look_under_way(source, reloaded)
        assert reloaded.recent(60) == 1
        source.may_answer.set()
        assert await task == 2
        assert reloaded.recent(60) == 2

    asyncio.run(check())


def test_a_look_that_fails_is_told_to_who_waits_and_forgets_nothing() -> None:
    async def check() -> None:
        source = Source()
        reloaded = Reloaded(source.load)
        assert await reloaded.now() == 1
        source.error = OSError("no database")
        with pytest.raises(OSError, match="no database"):
            await reloaded.now()
        assert reloaded.recent(60) == 1
        source.error = None
        assert await reloaded.now() == 3

    asyncio.run(check())


def test_who_waited_for_a_cancelled_look_gets_one_of_their_own() -> None:
    async def check() -> None:
        source = Source()
        reloaded = Reloaded(source.load)
        assert await reloaded.now() == 1
        cancelled = await look_under_way(source, reloaded)
        waiting = asyncio.create_task(reloaded.now())
        await asyncio.sleep(0)
        cancelled.cancel()
        source.may_answer.set()
        assert await waiting == 3

    asyncio.run(check())


def test_many_share_a_look() -> None:
    async def check() -> None:
        source = Source()
        reloaded = Reloaded(source.load)
        seen = await asyncio.gather(*(reloaded.now() for _ in range(500)))
        assert source.looks <= 2
        assert set(seen) <= {1, 2}

    asyncio.run(check())
