"""Refused log-ins and keys in the audit log: all of them are told, and nobody can fill it."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

from api.auth import COOKIE
from api.key_ring import Refused, Why
from api.refusals import ENTRIES_AT_ONCE, MOST_SUMS, OTHERS, Refusals
from core.audit import Action, Entry
from core.roles import Role
from tests.api.conftest import Served, served
from tests.api.test_auth import new_key
from tests.api.test_auth_sessions import PATH, execute
from tests.api.test_keys import Clock

SECONDS = 20


class Written:
    """An audit log in memory, which can be out of reach."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.is_down = False

    async def record(self, *entries: Entry) -> None:
        if self.is_down:
            raise OSError("down")
        self.entries += entries


def counts(entries: Sequence[Entry]) -> int:
    return sum(int(entry.details["count"]) for entry in entries)


def test_a_flood_from_many_addresses_is_summed_up_and_loses_no_count() -> None:
    clock, log, noted = Clock(), Written(), 0

    async def flood() -> None:
        nonlocal noted
        refusals = Refusals(log, clock)
        for minute in range(24 * 60):
            clock.now = minute * 60
            for number in range(200):
                refusals.note(Action.KEY_REFUSED, f"address {minute} {number}", Refused(Why.UNKNOWN))
                noted += 1
            await refusals.write()
        clock.now += 3600
        await refusals.write()

    asyncio.run(flood())
    # A hundred at once, and one a minute for a day.
    assert len(log.entries) <= ENTRIES_AT_ONCE + 25 * 60
    assert counts(log.entries) == noted
    assert {entry.subject_id for entry in log.entries[ENTRIES_AT_ONCE:-ENTRIES_AT_ONCE]} == {OTHERS}


def test_one_address_is_one_entry_a_minute_and_its_memory_is_bounded() -> None:
    clock, log = Clock(), Written()

    async def fail() -> None:
        refusals = Refusals(log, clock)
        for _ in range(500):
            refusals.note(Action.LOG_IN_REFUSED, "192.0.2.1", Refused(Why.UNKNOWN))
        refusals.note(Action.LOG_IN_REFUSED, "192.0.2.1", Refused(Why.EXPIRED, "metabase"))
        await refusals.write()
        await refusals.write()
        for number in range(10 * MOST_SUMS):
            refusals.note(Action.LOG_IN_REFUSED, str(number), Refused(Why.UNKNOWN))
        assert len(refusals._sums) <= MOST_SUMS + len(Action)

    asyncio.run(fail())
    assert [(entry.subject_id, entry.details["why"], entry.details["count"]) for entry in log.entries] == [
        ("192.0.2.1", "unknown", 500),
        ("192.0.2.1", "expired", 1),
    ]


def test_what_cannot_be_written_is_written_later() -> None:
    clock, log = Clock(), Written()

    async def fail() -> None:
        refusals = Refusals(log, clock)
        log.is_down = True
        refusals.note(Action.KEY_REFUSED, "192.0.2.1", Refused(Why.UNKNOWN))
        await refusals.write()
        refusals.note(Action.KEY_REFUSED, "192.0.2.1", Refused(Why.UNKNOWN))
        log.is_down = False
        await refusals.write()

    asyncio.run(fail())
    assert counts(log.entries) == 2


def test_a_shutdown_in_the_middle_loses_nothing() -> None:
    log = Written()

    class Slow(Written):
        async def record(self, *entries: Entry) -> None:
            await asyncio.Event().wait()

    async def end() -> None:
        refusals = Refusals(Slow(), Clock())
        refusals.note(Action.KEY_REFUSED, "192.0.2.1", Refused(Why.UNKNOWN))
        task = asyncio.create_task(refusals.run())
        while refusals._sums:  # until it is being written
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        refusals._writer = log
        await refusals.write()

    asyncio.run(end())
    assert counts(log.entries) == 1


def entries(served: Served, action: str, address: str = "") -> list[Any]:
    """Those of this address, or all; they are written a moment after the answer."""
    deadline = time.monotonic() + SECONDS
    query = (
        "select actor, subject_id, details from app.audit_log "
        "where action = %s and subject_id <> 'x' and %s in ('', subject_id) order by 1"
    )
    while not (found := execute(served, query, action, address)):
        assert time.monotonic() < deadline, f"no entry {action}"
        time.sleep(0.05)
    return found


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        ("link", "log_in.refused"),
        ("key at log-in", "log_in.refused"),
        ("key", "key.refused"),
        ("cookie", "key.refused"),
    ],
)
def test_over_http_with_the_address(intake: Served, kind: str, action: str) -> None:
    address = f"203.0.113.{len(kind)}"
    headers = {"X-Forwarded-For": address}
    secret = f"tq_12345678_{'B' * 43}"
    with (
        served(intake.database, intake.settings.home, trusted_proxies=["127.0.0.1"]) as fresh,
        fresh.client(None) as client,
    ):
        match kind:
            case "link":
                answer = client.post(PATH, json={"token": "B" * 43}, headers=headers)
            case "key at log-in":
                answer = client.post(PATH, json={"api_key": secret}, headers=headers)
            case "cookie":
                answer = client.get("/api/overview", headers=headers, cookies={COOKIE: "B" * 43})
            case _:
                answer = client.get("/api/overview", headers={**headers, "X-API-Key": secret})
        assert answer.status_code == 401
        found = entries(fresh, action, address)
    ((actor, _, details),) = found
    assert actor == f"unknown ({address})"
    assert (details["why"], details["count"]) == ("no session" if kind == "cookie" else "unknown", 1)
    # Nothing of what was sent is kept.
    assert "BBBB" not in str(found)
    assert "12345678" not in str(found)


def test_a_key_that_was_known_is_named(intake: Served) -> None:
    secret = new_key(intake, "departed", Role.READ)
    execute(intake, "update app.api_keys set expires_at = now() where name = 'departed'")
    with served(intake.database, intake.settings.home) as fresh, fresh.client(secret) as client:
        assert client.get("/api/overview").status_code == 401
    # Written at the latest when the API ends.
    assert "departed" in {row[2]["key"] for row in entries(intake, "key.refused")}
