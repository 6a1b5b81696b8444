"""Reads of the published marts: one statement per request, its JSON made by Postgres."""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from sys import intern
from typing import Any, TypeVar

import asyncpg
import structlog
from pydantic import BaseModel

from api.paging import known_to_postgres
from api.problems import DatabaseUnavailableError, NotPublishedError, OutdatedScoresError
from core.postgres_urls import for_asyncpg

POOL_SIZE = 10
CONNECT_TIMEOUT_SECONDS = 5
ACQUIRE_TIMEOUT_SECONDS = 5
STATEMENT_TIMEOUT_SECONDS = 10
LOOK_TIMEOUT_SECONDS = 2.0
RECONNECT_SECONDS = 5
# A list has one statement per sort column and direction, all of them on every connection at worst.
STATEMENT_CACHE_SIZE = 256
REMEMBERED_COUNTS = 1000

# More than two: after a restart of the server, several connections of the pool may be half closed.
ATTEMPTS = 3

# What one state of the marts is called in an ETag. The generation alone would come round again in a new database,
# and between two publications scores are refreshed live.
VERSION = "(generation || '.' || (extract(epoch from refreshed_at) * 1000000)::bigint)"
VERSION_QUERY = f"select {VERSION} from marts.publication"
IS_PUBLISHED = "select to_regclass('marts.publication') is not null"
OUTDATED_SECONDS = 30

# A table was swapped or the server restarted under a statement; the same statement works a moment later.
PASSING_ERRORS = (
    asyncpg.InvalidCachedStatementError,
    asyncpg.InternalClientError,
    asyncpg.InternalServerError,
    asyncpg.UndefinedTableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.AdminShutdownError,
    ConnectionResetError,
)
UNREACHABLE_ERRORS = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InterfaceError,
)

# What is read is not there: nothing is published, or a version before has published it, in other columns.
MISSING_ERRORS = (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError, asyncpg.UndefinedColumnError)

Result = TypeVar("Result")

log = structlog.get_logger("api")


def columns(model: type[BaseModel], table: str) -> str:
    """The fields of a schema as columns of a table, so that body and schema cannot differ."""
    return ", ".join(f"{table}.{name}" for name in model.model_fields)


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL that yields one row `(version, body)`, and its arguments.

    `version` is that of the publication read with it, and `body` is JSON, or null if what was asked for
    does not exist, which `missing` puts into words. No row means that nothing has been published.
    `version_sql` yields the present version alone. A page of a list has a third column: the cursor of the next page;
    `cursor` is that of this one. `counts`: what is counted for it, as long as the version stays the same only once; the
    statement takes two more parameters, a version and the number counted then, and has a fourth column, the number that
    it gives. `reads_sessions`: the body is made of sessions as delivered, or of excuses, too, which may come
    without a new version, until a run has scored them. Equal SQL is kept once, however many statements are remembered.
    """

    sql: str
    arguments: tuple[Any, ...] = ()
    missing: str = ""
    version_sql: str = VERSION_QUERY
    cursor: str | None = None
    reads_sessions: bool = False
    counts: Hashable | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "sql", intern(self.sql))
        object.__setattr__(self, "version_sql", intern(self.version_sql))


@dataclass(frozen=True, slots=True)
class Published:
    """JSON as Postgres made it, the version of the publication that it was read from, and the cursor of the next page
    if it is a page."""

    version: str
    body: bytes | None
    next_cursor: str | None = None


class _Looks:
    """Looks at one thing, one after the other, each shared by all who came while the one before was under way.

    A look belongs to the first of them, also in its trace. `ended` is called after one that nobody has waited for.
    """

    def __init__(self, look: Callable[[], Awaitable[str]], ended: Callable[[], object]) -> None:
        self._look = look
        self._ended = ended
        self._waiting: list[asyncio.Future[str]] = []
        self._context: contextvars.Context | None = None
        self._under_way: asyncio.Task[None] | None = None

    async def next(self) -> str:
        """What is seen by a look that begins after this call."""
        if not self._waiting:
            self._context = contextvars.copy_context()
        waits: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append(waits)
        if self._under_way is None:
            self._begin()
        return await waits

    def _begin(self) -> None:
        context, self._context = self._context, None
        self._under_way = asyncio.create_task(self._run(), context=context)

    async def _run(self) -> None:
        waiting, self._waiting = self._waiting, []
        try:
            seen = await self._look()
            for each in waiting:
                if not each.done():  # whoever asked is still there
                    each.set_result(seen)
        except Exception as error:
            for each in waiting:
                if not each.done():
                    each.set_exception(error)
        finally:
            for each in waiting:
                each.cancel()  # those that nothing was set for
            self._under_way = None
            if self._waiting:
                self._begin()
            else:
                self._ended()


class Marts:
    """The published tables, read over a pool of connections.

    Raises (every method):
        NotPublishedError: there is no publication yet.
        OutdatedScoresError: there is one by a version before, which lacks what is asked for.
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        # At versions, by query, while they are under way: a query may name whatever an address does.
        self._looks: dict[str, _Looks] = {}
        # What statements have counted, and at which version.
        self._counted: dict[Hashable, tuple[str, int]] = {}

    async def version(self, query: str = VERSION_QUERY) -> str:
        """Version of the present publication, or of what `query` looks at beside it.

        The look begins after this call. While one is under way, all who come share the next.
        """
        if query not in self._looks:
            self._looks[query] = _Looks(partial(self._version, query), partial(self._looks.pop, query))
        return await self._looks[query].next()

    async def _version(self, query: str) -> str:
        version = await self._run(partial(_look_at, query))
        if version is None:
            raise NotPublishedError("The first run has not finished.")
        return str(version)

    async def read(self, statement: Statement) -> Published:
        """Run a statement on one snapshot."""
        with known_to_postgres(statement.cursor):
            found = await self._run(partial(self._fetch, statement))
        if found is None:
            raise NotPublishedError("The first run has not finished.")
        return found

    async def _fetch(self, statement: Statement, connection: Any) -> Published | None:
        if statement.counts is None:
            row = await connection.fetchrow(statement.sql, *statement.arguments)
            return Published(*row) if row is not None else None
        counted = self._counted.get(statement.counts, (None, None))
        row = await connection.fetchrow(statement.sql, *statement.arguments, *counted)
        if row is None:
            return None
        version, body, next_cursor, number = row
        if len(self._counted) >= REMEMBERED_COUNTS:
            self._counted.clear()
        self._counted[statement.counts] = version, number
        return Published(version, body, next_cursor)

    async def read_published(self, statement: Statement) -> Published:
        """The same for a statement of what is published: with a replica, it is read there (replica.py) if its body
        stays the same as long as its version does."""
        return await self.read(statement)

    async def _run(self, work: Callable[[Any], Awaitable[Result]]) -> Result:
        try:
            return await with_connection(self._pool, work)
        except MISSING_ERRORS as error:
            if not await with_connection(self._pool, lambda connection: connection.fetchval(IS_PUBLISHED)):
                raise NotPublishedError("The tables of the scores do not exist yet.") from error
            log.warning("published by another version", missing=str(error))
            detail = "The first run of this version has not finished."
            raise OutdatedScoresError(detail, headers={"Retry-After": str(OUTDATED_SECONDS)}) from error


async def _look_at(query: str, connection: Any) -> Any:
    try:
        return await connection.fetchval(query, timeout=LOOK_TIMEOUT_SECONDS)
    except TimeoutError as error:
        # All readers wait for it: another connection may be answered.
        connection.terminate()
        raise asyncpg.ConnectionDoesNotExistError("The look at the version took too long.") from error


def is_in_transaction(connection: Any) -> bool:
    """Whether there is something to roll back: not on a connection of a pool that is lost."""
    try:
        return bool(connection.is_in_transaction())
    except asyncpg.InterfaceError:
        return False


async def with_connection(pool: asyncpg.Pool, work: Callable[[Any], Awaitable[Result]]) -> Result:
    """Run `work` on a connection of the pool, and again if it failed for a passing reason.

    Raises:
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    """
    try:
        for _ in range(ATTEMPTS - 1):
            try:
                return await _once(pool, work)
            except PASSING_ERRORS:
                continue
        return await _once(pool, work)
    except UNREACHABLE_ERRORS as error:  # TimeoutError is an OSError
        if isinstance(error, ValueError):  # asyncpg's InterfaceErrors about arguments: a mistake of ours
            raise
        detail = "It took too long to answer." if isinstance(error, TimeoutError) else "Please try again in a moment."
        raise DatabaseUnavailableError(detail, headers={"Retry-After": "5"}) from error


async def with_app_tables(pool: asyncpg.Pool, work: Callable[[Any], Awaitable[Result]]) -> Result:
    """The same for work on tables that migrations make.

    Raises:
        DatabaseUnavailableError: the server cannot be reached, or not in time, or the tables are not there.
    """
    try:
        return await with_connection(pool, work)
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as error:
        raise DatabaseUnavailableError("Its migrations have not been run yet.") from error


async def _once(pool: asyncpg.Pool, work: Callable[[Any], Awaitable[Result]]) -> Result:
    async with pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS) as connection:
        try:
            return await work(connection)
        except asyncpg.InternalClientError:
            # A connection can be caught while the server is ending it; nobody should get it again.
            connection.terminate()
            raise


class PlainConnection(asyncpg.Connection):
    """A connection that is not reset between requests: they leave nothing behind, and a reset is a round trip."""

    def get_reset_query(self) -> str:
        return ""


@asynccontextmanager
async def open_pool(
    url: str,
    *,
    size: int = POOL_SIZE,
    settings: Mapping[str, str] | None = None,
    statement_cache_size: int = STATEMENT_CACHE_SIZE,
) -> AsyncIterator[asyncpg.Pool]:
    """A pool that connects when it is first used, so that the API starts while the database is down.

    `settings` are of the server, for every connection. `statement_cache_size=0` makes no prepared statement that is to
    be found again, so that a pooler may give each transaction another connection.
    """
    address, _ = for_asyncpg(url)
    pool = asyncpg.create_pool(
        **address,
        min_size=0,
        max_size=size,
        timeout=CONNECT_TIMEOUT_SECONDS,
        command_timeout=STATEMENT_TIMEOUT_SECONDS,
        statement_cache_size=statement_cache_size,
        connection_class=PlainConnection,
        init=_json_as_bytes,
        # Instants appear in bodies in the session's zone.
        server_settings={"application_name": "tutorq-api", "timezone": "UTC", **(settings or {})},
    )
    await pool
    try:
        yield pool
    finally:
        await pool.close()


async def stay_connected(url: str) -> None:
    """Hold a session for as long as the API runs: pools close those that are idle, and a restore of the database has
    to see that somebody uses it."""
    address, _ = for_asyncpg(url)
    while True:
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            ended = asyncio.Event()
            connection = await asyncpg.connect(
                **address, timeout=CONNECT_TIMEOUT_SECONDS, server_settings={"application_name": "tutorq-api"}
            )
            try:
                connection.add_termination_listener(lambda _, ended=ended: ended.set())
                await ended.wait()
            finally:
                await connection.close(timeout=1)
        await asyncio.sleep(RECONNECT_SECONDS)


async def _json_as_bytes(connection: asyncpg.Connection) -> None:
    """JSON goes to the client as Postgres wrote it: no decoding here."""
    await connection.set_type_codec(
        "json", schema="pg_catalog", format="binary", encoder=lambda value: value, decoder=lambda value: value
    )
