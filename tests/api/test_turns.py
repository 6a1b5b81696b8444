"""Who may work at a time: a key waits for itself, and not for the line of another one."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest

from api.auth import Caller
from api.browser_sessions import BrowserCaller
from api.problems import OverloadedError, TooManyAtOnceError
from api.turns import Turns
from core.roles import Role

BRIEF = 0.01
LONG = 20


def key(number: int) -> Caller:
    return Caller(number, f"key {number}", Role.READ)


def at_browser(number: int, *, key_id: int | None) -> BrowserCaller:
    return BrowserCaller(number, "Ann", Role.READ, datetime.now(UTC), None if key_id else number, key_id)


def test_a_key_gets_its_share_and_the_others_get_theirs() -> None:
    async def work() -> None:
        turns = Turns("things", per_key=1, in_all=2)
        async with turns.turn(key(1), BRIEF):
            with pytest.raises(TooManyAtOnceError, match="1 things of this key are in progress"):
                async with turns.turn(key(1), BRIEF):
                    pass
            async with turns.turn(key(2), BRIEF):
                with pytest.raises(OverloadedError, match="Other things are in progress"):
                    async with turns.turn(key(3), BRIEF):
                        pass
            async with turns.turn(key(3), BRIEF):
                pass

    asyncio.run(work())


def test_others_do_not_wait_behind_the_line_of_a_key() -> None:
    order: list[str] = []

    async def work() -> None:
        turns = Turns("things", per_key=1, in_all=1)

        async def wait(who: int, what: str) -> None:
            async with turns.turn(key(who), LONG):
                order.append(what)

        async with AsyncExitStack() as stack:
            await stack.enter_async_context(turns.turn(key(1), LONG))
            waiting = [asyncio.create_task(wait(1, f"key 1, {at}")) for at in range(3)]
            await asyncio.sleep(0)
            waiting.append(asyncio.create_task(wait(2, "key 2")))
            await asyncio.sleep(0)
        await asyncio.gather(*waiting)

    asyncio.run(work())
    assert order.index("key 2") <= 1
    assert len(order) == 4


def test_a_key_has_one_share_however_many_browsers_it_opened() -> None:
    async def work() -> None:
        turns = Turns("things", per_key=1, in_all=9)
        async with turns.turn(key(1), BRIEF):
            with pytest.raises(TooManyAtOnceError):
                async with turns.turn(at_browser(7, key_id=1), BRIEF):
                    pass
            async with turns.turn(at_browser(1, key_id=None), BRIEF), turns.turn(at_browser(2, key_id=None), BRIEF):
                pass

    asyncio.run(work())


def test_failures_and_finished_work_leave_nothing_behind() -> None:
    async def work() -> None:
        turns = Turns("things", per_key=1, in_all=1)
        for number in range(5):
            with pytest.raises(ZeroDivisionError):
                async with turns.turn(key(number), BRIEF):
                    raise ZeroDivisionError
        assert turns._lines == {}
        async with turns.turn(key(1), BRIEF):
            pass

    asyncio.run(work())
