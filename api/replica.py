"""A standby of the database (TUTORQ_READ_DATABASE_URL), which is read from while it is as new as the primary."""

import asyncio
import time
from collections.abc import Callable
from functools import partial

import asyncpg
import structlog
from prometheus_client import CollectorRegistry, Counter

from api.database import MISSING_ERRORS, Marts, Published, Statement, with_connection
from api.problems import DatabaseUnavailableError

# After a failure, requests go to the primary; one of them tries again, after that time each.
REST_SECONDS = 5.0
# Of a standby that hangs, requests wait no longer.
TIMEOUT_SECONDS = 2.0

log = structlog.get_logger("api")


class ReplicatedMarts(Marts):
    """The published tables on a primary and a standby, each with a pool of its own.

    What the standby gives is taken only if its version is what the primary has, looked up after the request came in. So
    an answer is as new as all that was acknowledged before, by whichever process, and as its ETag says. Sessions as
    delivered have no version, so statements that read them go to the primary.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        replica: asyncpg.Pool,
        registry: CollectorRegistry,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(pool)
        self._replica = replica
        self._clock = clock
        self._has_failed = False
        self._rests_until = float("-inf")
        reads = Counter(
            "tutorq_published_reads",
            "Reads of what is published: by the replica, or by the primary as the replica is behind or away.",
            ["by"],
            registry=registry,
        )
        self._current, self._behind, self._away = map(reads.labels, ("replica", "primary_as_behind", "primary_as_away"))

    async def read_published(self, statement: Statement) -> Published:
        if statement.reads_sessions:
            return await self.read(statement)
        if self._clock() < self._rests_until:
            self._away.inc()
            return await self.read(statement)
        version, found = await asyncio.gather(
            self.version(statement.version_sql), self._read_replica(statement), return_exceptions=True
        )
        if isinstance(version, BaseException):
            raise version
        if isinstance(found, BaseException):
            raise found
        if found is not None and found.version == version:
            self._current.inc()
            return found
        (self._away if found is None else self._behind).inc()
        return await self.read(statement)

    async def _read_replica(self, statement: Statement) -> Published | None:
        """What the standby has, however old that is; None if it gives nothing."""
        if self._has_failed:
            self._rests_until = self._clock() + REST_SECONDS
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                found = await with_connection(self._replica, partial(self._fetch, statement))
        except MISSING_ERRORS:
            return None  # tables that it has not got yet
        except (DatabaseUnavailableError, TimeoutError) as error:
            log.warning("the read replica gives no answer", error=type(error).__qualname__)
            self._has_failed = True
            self._rests_until = self._clock() + REST_SECONDS
            return None
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            # A conflict with what is replayed, say. What is wrong with the request itself, the primary will say.
            log.info("not read from the replica", error=type(error).__qualname__)
            return None
        self._has_failed, self._rests_until = False, float("-inf")
        return found
