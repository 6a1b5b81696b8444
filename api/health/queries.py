"""Looks at everything the platform needs, without ever waiting long for any of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncpg
import structlog

from api.database import with_connection
from api.health.schemas import ChangesCheck, Checks, DaemonCheck, DatabaseCheck, Health, PublicationCheck, Status

CHECK_TIMEOUT_SECONDS = 2
HEARTBEAT_STALE_SECONDS = 120
# Anyone may ask, and each look opens queries; more often than this tells nothing new.
REMEMBERED_SECONDS = 1

PUBLICATION = """
select generation, as_of, published_at, extract(epoch from now() - published_at)::double precision as age_seconds
from marts.publication
"""
OLDEST_CHANGE = "select extract(epoch from now() - min(changed_at))::double precision from raw.changes"
# Dagster writes UTC without a zone. One daemon process writes all rows; rows of retired kinds may stay behind.
HEARTBEAT = """
select extract(epoch from now() at time zone 'utc' - max("timestamp"))::double precision from daemon_heartbeats
"""

Result = TypeVar("Result")

log = structlog.get_logger("api")


class HealthProbe:
    """Health of the platform, looked up at most once a second however often it is asked for.

    Both pools should be its own: under load, waiting for a connection would look like an outage.
    """

    def __init__(self, pool: asyncpg.Pool, dagster_pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._dagster_pool = dagster_pool
        self._lock = asyncio.Lock()
        self._latest: tuple[float, Health] | None = None

    async def health(self) -> Health:
        """The present health, or that of less than a second ago. Raises nothing."""
        async with self._lock:
            if self._latest is None or time.monotonic() - self._latest[0] > REMEMBERED_SECONDS:
                self._latest = (time.monotonic(), await self._look())
            return self._latest[1]

    async def _look(self) -> Health:
        platform, daemon = await asyncio.gather(self._platform(), self._daemon())
        checks = Checks(
            database=platform[0], publication=platform[1], unprocessed_changes=platform[2], dagster_daemon=daemon
        )
        if checks.database.status is Status.FAILED or checks.publication.status is Status.FAILED:
            status = Status.FAILED
        elif checks.publication.status is Status.STARTING:
            status = Status.STARTING
        elif checks.dagster_daemon.status is Status.DEGRADED:
            status = Status.DEGRADED
        else:
            status = Status.OK
        return Health(status=status, checks=checks)

    async def _platform(self) -> tuple[DatabaseCheck, PublicationCheck, ChangesCheck]:
        try:
            await _within_time(self._pool, lambda connection: connection.fetchval("select 1"))
        except Exception as error:
            _note("database", error)
            return (
                DatabaseCheck(status=Status.FAILED),
                PublicationCheck(status=Status.UNKNOWN),
                ChangesCheck(status=Status.UNKNOWN),
            )
        return DatabaseCheck(status=Status.OK), await self._publication(), await self._changes()

    async def _publication(self) -> PublicationCheck:
        try:
            row = await _within_time(self._pool, lambda connection: connection.fetchrow(PUBLICATION))
        except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
            return PublicationCheck(status=Status.STARTING)
        except Exception as error:
            _note("publication", error)
            return PublicationCheck(status=Status.FAILED)
        return PublicationCheck(status=Status.OK, **row) if row else PublicationCheck(status=Status.STARTING)

    async def _changes(self) -> ChangesCheck:
        try:
            age = await _within_time(self._pool, lambda connection: connection.fetchval(OLDEST_CHANGE))
        except Exception as error:
            _note("unprocessed_changes", error)
            return ChangesCheck(status=Status.UNKNOWN)
        return ChangesCheck(status=Status.OK, oldest_age_seconds=age)

    async def _daemon(self) -> DaemonCheck:
        try:
            age = await _within_time(self._dagster_pool, lambda connection: connection.fetchval(HEARTBEAT))
        except Exception as error:
            _note("dagster_daemon", error)
            return DaemonCheck(status=Status.UNKNOWN)
        if age is None:
            return DaemonCheck(status=Status.UNKNOWN)
        status = Status.DEGRADED if age > HEARTBEAT_STALE_SECONDS else Status.OK
        return DaemonCheck(status=status, heartbeat_age_seconds=age)


async def _within_time(pool: asyncpg.Pool, work: Callable[[Any], Awaitable[Result]]) -> Result:
    async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
        return await with_connection(pool, work)


def _note(check: str, error: Exception) -> None:
    log.debug("health check not possible", check=check, error=type(error).__qualname__)
