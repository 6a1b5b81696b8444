"""The session that tells a restore that the API runs, however idle it is."""

import asyncio
from contextlib import suppress

import pytest

from api import database as api_database
from core.database import Database, DatabaseRole

MINE = "application_name = 'tutorq-api' and datname = current_database()"


def sessions(database: Database, what: str = "pid") -> list[int]:
    with database.connect() as connection:
        return [pid for (pid,) in connection.execute(f"select {what} from pg_stat_activity where {MINE}".encode())]


def test_it_is_there_and_comes_back(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_database, "RECONNECT_SECONDS", 0.05)

    async def others(*before: int) -> list[int]:
        while not (now := [pid for pid in sessions(database) if pid not in before]):
            await asyncio.sleep(0.02)
        return now

    async def live() -> None:
        task = asyncio.create_task(api_database.stay_connected(database.as_role(DatabaseRole.API).url))
        first = await others()
        assert len(first) == 1
        sessions(database, "pg_terminate_backend(pid)::int")
        assert len(await others(*first)) == 1
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        while sessions(database):
            await asyncio.sleep(0.02)

    asyncio.run(live())
