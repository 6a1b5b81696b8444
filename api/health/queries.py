"""Looks at everything the platform needs, without ever waiting long for any of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncpg
import structlog

from api.database import MISSING_ERRORS, columns, with_connection
from api.health.schemas import (
    ChangesCheck,
    Checks,
    DaemonCheck,
    DatabaseCheck,
    Health,
    LimitsCheck,
    PublicationCheck,
    ReplicaCheck,
    Status,
)
from api.tutors.schemas import TutorScore
from core.concerns import Concern

CHECK_TIMEOUT_SECONDS = 2
DAEMON_SILENT_SECONDS = 120
UNPROCESSED_MINUTES = 15
# Anyone may ask, and each look opens queries; more often than this tells nothing new.
REMEMBERED_SECONDS = 1

PUBLICATION = """
select generation, as_of, published_at, extract(epoch from now() - published_at)::double precision as age_seconds
from marts.publication
"""
# What answers about tutors are made of: a version before may have published it in other columns.
READABLE = f"""
select {columns(TutorScore, "scores")}, {columns(Concern, "concerns")}
from marts.tutor_scores as scores, marts.tutor_concerns as concerns
limit 0
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

    The pools should be its own: under load, waiting for a connection would look like an outage.

    Args:
        replica_pool: to the standby that is read from, if there is one.
        are_limits_shared: whether limits hold for all processes, if they are to.
        daemon_silent_seconds: how long the Dagster daemon may be silent; at the start, how long it may take to come.
        unprocessed_minutes: how long a change may wait, once anything has been published.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        dagster_pool: asyncpg.Pool,
        *,
        replica_pool: asyncpg.Pool | None = None,
        are_limits_shared: Callable[[], bool] | None = None,
        daemon_silent_seconds: float = DAEMON_SILENT_SECONDS,
        unprocessed_minutes: float = UNPROCESSED_MINUTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._dagster_pool = dagster_pool
        self._replica_pool = replica_pool
        self._are_limits_shared = are_limits_shared
        self._daemon_silent_seconds = daemon_silent_seconds
        self._unprocessed_seconds = unprocessed_minutes * 60
        self._clock = clock
        self._started = clock()
        self._lock = asyncio.Lock()
        self._latest: tuple[float, Health] | None = None
        self._has_reached_database = False

    async def health(self) -> Health:
        """The present health, or that of less than a second ago. Raises nothing."""
        async with self._lock:
            if self._latest is None or time.monotonic() - self._latest[0] > REMEMBERED_SECONDS:
                self._latest = (time.monotonic(), await self._look())
            return self._latest[1]

    async def has_reached_database(self) -> bool:
        """Whether the database has answered since the start; looked up until it has. Raises nothing."""
        if not self._has_reached_database:
            await self.health()
        return self._has_reached_database

    async def _look(self) -> Health:
        (database, publication, changes), daemon, replica = await asyncio.gather(
            self._platform(), self._daemon(), self._replica()
        )
        limits = self._limits()
        checks = Checks(
            database=database,
            publication=publication,
            unprocessed_changes=changes,
            dagster_daemon=daemon,
            limits=limits,
            read_replica=replica,
        )
        if Status.FAILED in (database.status, publication.status):
            status = Status.FAILED
        elif publication.status is Status.STARTING:
            status = Status.STARTING
        elif Status.DEGRADED in (each.status for each in (publication, changes, daemon, limits, replica) if each):
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
        self._has_reached_database = True
        return DatabaseCheck(status=Status.OK), await self._publication(), await self._changes()

    async def _publication(self) -> PublicationCheck:
        try:
            row = await _within_time(self._pool, lambda connection: connection.fetchrow(PUBLICATION))
        except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
            return PublicationCheck(status=Status.STARTING)
        except Exception as error:
            _note("publication", error)
            return PublicationCheck(status=Status.FAILED)
        if not row:
            return PublicationCheck(status=Status.STARTING)
        try:
            await _within_time(self._pool, lambda connection: connection.fetch(READABLE))
        except MISSING_ERRORS:
            return PublicationCheck(status=Status.DEGRADED, **row)
        return PublicationCheck(status=Status.OK, **row)

    async def _changes(self) -> ChangesCheck:
        try:
            age = await _within_time(self._pool, lambda connection: connection.fetchval(OLDEST_CHANGE))
        except Exception as error:
            _note("unprocessed_changes", error)
            return ChangesCheck(status=Status.UNKNOWN)
        is_late = age is not None and age > self._unprocessed_seconds
        return ChangesCheck(status=Status.DEGRADED if is_late else Status.OK, oldest_age_seconds=age)

    def _limits(self) -> LimitsCheck | None:
        if self._are_limits_shared is None:
            return None
        return LimitsCheck(status=Status.OK if self._are_limits_shared() else Status.DEGRADED)

    async def _replica(self) -> ReplicaCheck | None:
        if self._replica_pool is None:
            return None
        try:
            row = await _within_time(self._replica_pool, lambda connection: connection.fetchrow(PUBLICATION))
        except MISSING_ERRORS:
            row = None
        except Exception as error:
            _note("read_replica", error)
            return ReplicaCheck(status=Status.DEGRADED)
        return ReplicaCheck(status=Status.OK, generation=row and row["generation"])

    async def _daemon(self) -> DaemonCheck:
        try:
            age = await _within_time(self._dagster_pool, lambda connection: connection.fetchval(HEARTBEAT))
        except Exception as error:
            _note("dagster_daemon", error)
            age = None
        if age is not None and age <= self._daemon_silent_seconds:
            return DaemonCheck(status=Status.OK, heartbeat_age_seconds=age)
        # It starts beside the API, or after it: what it said in an earlier life does not count against it yet.
        has_had_time = self._clock() - self._started > self._daemon_silent_seconds
        return DaemonCheck(status=Status.DEGRADED if has_had_time else Status.STARTING, heartbeat_age_seconds=age)


async def _within_time(pool: asyncpg.Pool, work: Callable[[Any], Awaitable[Result]]) -> Result:
    async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
        return await with_connection(pool, work)


def _note(check: str, error: Exception) -> None:
    log.debug("health check not possible", check=check, error=type(error).__qualname__)
