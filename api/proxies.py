"""Proxies in front of the API: those that are declared are believed, and others are noticed.

Behind a proxy that is not in TUTORQ_TRUSTED_PROXIES all clients have its address, and share what limits allow one.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import lru_cache

import asyncpg
import structlog
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api.database import with_connection

HEADER = b"x-forwarded-for"
# Anybody who reaches the API can send the header; a few addresses are enough to tell an operator.
MOST_NOTICED = 20
REMEMBERED_ADDRESSES = 1024
# Doctor tells of those seen within a day.
AGAIN_AFTER_SECONDS = 6 * 3600

NOTE = """
insert into app.undeclared_proxies (address) values ($1)
on conflict (address) do update set last_seen_at = now()
"""
FORGET = "delete from app.undeclared_proxies where last_seen_at < now() - interval '30 days'"

log = structlog.get_logger("api")


class UndeclaredProxies:
    """Tells each of them every few hours: in the log, and in `app.undeclared_proxies` for `tutorq doctor`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._noticed: set[str] = set()
        self._noticed_since = clock()
        self._new: asyncio.Queue[str] = asyncio.Queue()

    def is_looking(self) -> bool:
        """Whether there is room for one more; every few hours, all are forgotten, and told again if they still come."""
        now = self._clock()
        if now - self._noticed_since >= AGAIN_AFTER_SECONDS:
            self._noticed.clear()
            self._noticed_since = now
        return len(self._noticed) < MOST_NOTICED

    def notice(self, address: str) -> None:
        """A connection from this address brought the header."""
        if address in self._noticed:
            return
        self._noticed.add(address)
        log.warning(
            "undeclared proxy",
            address=address,
            advice="X-Forwarded-For is not believed from here, so all its clients share one address and its limits; "
            "if it is a proxy of yours, name it in TUTORQ_TRUSTED_PROXIES",
        )
        self._new.put_nowait(address)

    async def run(self, pool: asyncpg.Pool) -> None:
        """Write what has been noticed, until cancelled."""
        while True:
            address = await self._new.get()
            try:
                await with_connection(pool, lambda connection: connection.execute(NOTE, address))  # noqa: B023
                await with_connection(pool, lambda connection: connection.execute(FORGET))
            except Exception as error:  # the log has it already
                log.warning("undeclared proxy not noted for doctor", error=type(error).__qualname__)


class Proxies:
    """Middleware: the client's address as a declared proxy tells it; whoever else tells one is noticed."""

    def __init__(self, app: ASGIApp, trusted: Sequence[str], undeclared: UndeclaredProxies) -> None:
        self._app = app
        # uvicorn's own, asked for nothing but whom it trusts and what it makes of it.
        self._believing = ProxyHeadersMiddleware(app, list(trusted))  # type: ignore[arg-type]
        # To read an address takes longer than all else here, and most requests come from few.
        self._is_trusted = lru_cache(REMEMBERED_ADDRESSES)(self._believing.trusted_hosts.__contains__)
        self._undeclared = undeclared

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if client and self._is_trusted(client[0]):
            await self._believing(scope, receive, send)  # type: ignore[arg-type]
            return
        if client and self._undeclared.is_looking() and any(name == HEADER for name, _ in scope["headers"]):
            self._undeclared.notice(client[0])
        await self._app(scope, receive, send)
