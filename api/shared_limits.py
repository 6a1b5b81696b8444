"""Token buckets that all API processes share, in Valkey or Redis (TUTORQ_LIMITS_URL, decision 84).

While the server is away, each process limits by its own memory, and looks for the server every second. Nothing of the
package `valkey` is imported where no address is set.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import structlog
from prometheus_client import CollectorRegistry, Gauge

from api.limits import Buckets, MemoryBuckets, Rate
from core import postgres_urls
from core.errors import TutorqError
from core.settings import Settings

if TYPE_CHECKING:
    from valkey.asyncio import Valkey

# An answer takes 0.06 ms on one machine. A server that hangs keeps a request waiting that long, once.
TIMEOUT_SECONDS = 1.0
LOOK_EVERY_SECONDS = 1.0
CONNECTIONS = 20
CANCEL_AGAIN_SECONDS = 0.1

# A bucket is a hash of its tokens and the time at which it had them, by the server's clock. Arguments: tokens a second,
# most tokens, tokens to take off, and 1 if they may be taken off an empty bucket, too. Gives the seconds to wait as a
# text, or an empty one. A bucket that would be full again is forgotten. One of a time to come is of now: the server's
# clock was set back.
SPEND = """
local per_second, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local known = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = most
if known[1] then
    tokens = math.min(most, tonumber(known[1]) + math.max(0, now - tonumber(known[2])) * per_second)
end
if tokens < 1 and ARGV[4] == '0' then
    if tonumber(known[2]) > now then
        redis.call('HSET', KEYS[1], 'at', string.format('%.6f', now))
        redis.call('PEXPIRE', KEYS[1], math.ceil((most - tokens) / per_second * 1000) + 1000)
    end
    return tostring(math.ceil((1 - tokens) / per_second))
end
tokens = tokens - tonumber(ARGV[3])
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil((most - tokens) / per_second * 1000) + 1000)
return ''
"""

log = structlog.get_logger("api")


def check(settings: Settings) -> None:
    """
    Raises:
        TutorqError: limits are to be shared, and the package for that is not installed.
    """
    if settings.limits_url is not None and find_spec("valkey") is None:
        raise TutorqError("TUTORQ_LIMITS_URL needs the extra `limits`: install tutorq[limits]")


def installation_of(database_url: str) -> str:
    """What tells an installation from others on the same server: where its database is."""
    place = postgres_urls.parse(database_url)
    return "\0".join(place.get(name, "") for name in ("host", "hostaddr", "port", "dbname"))


def name_of(installation: str, rate: Rate, who: Hashable) -> str:
    """A bucket's key: a digest, as addresses of clients are nobody's business, and names may be long."""
    digest = hashlib.blake2b(f"{installation}\0{rate.name}\0{who}".encode(), digest_size=16).hexdigest()
    return f"tutorq:limit:{digest}"


class SharedBuckets:
    """Buckets of all processes of an installation; those of this process while the server is away. `run` has to run."""

    def __init__(self, client: "Valkey", installation: str, alone: Buckets, gauge: Gauge) -> None:
        from valkey.exceptions import ValkeyError

        self._client = client
        self._installation = installation
        self._spend = client.register_script(SPEND)
        self._errors: tuple[type[Exception], ...] = (ValkeyError, OSError)  # TimeoutError is an OSError
        self._alone = alone
        self._gauge = gauge
        self._is_shared = True
        self._gauge.set(1)
        self._lost = asyncio.Event()

    @property
    def is_shared(self) -> bool:
        """Whether the limits hold for all processes together, as far as is known."""
        return self._is_shared

    async def spend(self, rate: Rate, who: Hashable, tokens: int) -> int | None:
        if self._is_shared:
            try:
                wait = await self._take(rate, who, tokens, is_forced=False)
            except self._errors as error:
                self._lose(error)
            else:
                return int(wait) if wait else None
        return await self._alone.spend(rate, who, tokens)

    async def overdraw(self, rate: Rate, who: Hashable, tokens: int) -> None:
        if self._is_shared:
            try:
                await self._take(rate, who, tokens, is_forced=True)
            except self._errors as error:
                self._lose(error)
            else:
                return
        await self._alone.overdraw(rate, who, tokens)

    async def run(self) -> None:
        """Look at the server once, and every second while it is away, until cancelled."""
        while True:
            try:
                await self._client.ping()
            except self._errors as error:
                self._lose(error)
            else:
                self._find()
            if self._is_shared:
                await self._lost.wait()
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def _take(self, rate: Rate, who: Hashable, tokens: int, *, is_forced: bool) -> bytes:
        taken: Any = await self._spend(
            keys=[name_of(self._installation, rate, who)],
            args=[rate.per_second, rate.at_once, tokens, int(is_forced)],
        )
        return bytes(taken)

    def _lose(self, error: Exception) -> None:
        if self._is_shared:
            # Its message may hold the address.
            log.warning("limits not shared: each process limits by itself", error=type(error).__qualname__)
        self._is_shared = False
        self._gauge.set(0)
        self._lost.set()

    def _find(self) -> None:
        if not self._is_shared:
            log.info("limits are shared again")
        self._is_shared = True
        self._gauge.set(1)
        self._lost.clear()


@asynccontextmanager
async def open_buckets(settings: Settings, database_url: str, registry: CollectorRegistry) -> AsyncIterator[Buckets]:
    """The buckets of these settings: of all processes on the same database, or of this one."""
    if settings.limits_url is None:
        yield MemoryBuckets()
        return
    check(settings)
    from valkey.asyncio import BlockingConnectionPool, Valkey
    from valkey.asyncio.retry import Retry
    from valkey.backoff import NoBackoff

    pool = BlockingConnectionPool.from_url(
        settings.limits_url.get_secret_value(),
        max_connections=CONNECTIONS,
        timeout=TIMEOUT_SECONDS,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        # Idle connections may have been cut; one more attempt tells.
        retry=Retry(NoBackoff(), 1),
        client_name="tutorq-api",
    )
    gauge = Gauge(
        "tutorq_limits_shared", "1 if limits hold for all processes together, 0 if their server is away.",
        registry=registry,
    )  # fmt: skip
    client = Valkey(connection_pool=pool)
    buckets = SharedBuckets(client, installation_of(database_url), MemoryBuckets(), gauge)
    looking = asyncio.create_task(buckets.run())
    try:
        yield buckets
    finally:
        # Again and again: a cancellation that comes while a connection is made or broken off may be swallowed there.
        while not looking.done():
            looking.cancel()
            await asyncio.wait([looking], timeout=CANCEL_AGAIN_SECONDS)
        await asyncio.gather(looking, return_exceptions=True)
        await client.aclose()
        await pool.disconnect()
