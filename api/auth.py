"""Who is asking, and whether they may: by the header `X-API-Key`, or by the cookie of a browser that is logged in."""

import asyncio
import hmac
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Annotated

import asyncpg
import structlog
from fastapi import Request, Security
from fastapi.security import APIKeyCookie, APIKeyHeader

from api.browser_sessions import BrowserCaller, BrowserSessions
from api.database import with_connection
from api.problems import DatabaseUnavailableError, ForbiddenError, UnauthorizedError
from api.state import record_of
from core import keys
from core.keys import Role

KNOWN_SECONDS = 10
# Shorter, so that a key that was tried before it was made works soon after.
UNKNOWN_SECONDS = 1
REMEMBERED_KEYS = 1024
LAST_USED_EVERY_SECONDS = 60

FIND_KEYS = "select key_id, name, role, key_hash from app.api_keys where prefix = $1 and revoked_at is null"
NOTE_USE = """
update app.api_keys set last_used_at = now()
where key_id = $1 and (last_used_at is null or last_used_at < now() - make_interval(secs => $2))
"""

log = structlog.get_logger("api")


@dataclass(frozen=True, slots=True)
class Caller:
    """The key that a request came with."""

    key_id: int
    name: str
    role: Role

    @property
    def actor(self) -> str:
        """As the audit log names it."""
        return self.name

    @property
    def counted_as(self) -> Hashable:
        """Whose share of the server it takes: that of its key, also at browsers."""
        return "key", self.key_id


@dataclass(frozen=True, slots=True)
class _Remembered:
    caller: Caller | None
    until: float


class KeyRing:
    """Looks keys up, and remembers for seconds: a request costs no query, and a revoked key still ends soon."""

    def __init__(self, pool: asyncpg.Pool, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._clock = clock
        self._remembered: dict[bytes, _Remembered] = {}
        self._noted_at: dict[int, float] = {}
        self._notes: set[asyncio.Task[None]] = set()

    async def find(self, secret: str) -> Caller | None:
        """The caller with this key; None if it is unknown or revoked."""
        prefix = keys.prefix_of(secret)
        if prefix is None:
            return None
        digest = keys.digest(secret)
        now = self._clock()
        remembered = self._remembered.get(digest)
        if remembered is None or remembered.until <= now:
            caller = await self._look_up(prefix, digest)
            if len(self._remembered) >= REMEMBERED_KEYS:
                # Only a flood of made-up keys gets here; asking again for the real ones costs little.
                self._remembered.clear()
            remembered = _Remembered(caller, now + (KNOWN_SECONDS if caller else UNKNOWN_SECONDS))
            self._remembered[digest] = remembered
        if remembered.caller is not None:
            self._note_use(remembered.caller.key_id, now)
        return remembered.caller

    async def close(self) -> None:
        """Wait for the notes of last use that are still under way."""
        await asyncio.gather(*self._notes)

    async def _look_up(self, prefix: str, digest: bytes) -> Caller | None:
        try:
            rows = await with_connection(self._pool, lambda connection: connection.fetch(FIND_KEYS, prefix))
        except asyncpg.UndefinedTableError as error:
            raise DatabaseUnavailableError("Its migrations have not been run yet.") from error
        found = None
        for row in rows:
            if hmac.compare_digest(row["key_hash"], digest):
                found = Caller(row["key_id"], row["name"], Role(row["role"]))
        return found

    def _note_use(self, key_id: int, now: float) -> None:
        if now - self._noted_at.get(key_id, float("-inf")) < LAST_USED_EVERY_SECONDS:
            return
        self._noted_at[key_id] = now
        task = asyncio.create_task(self._write_use(key_id))
        self._notes.add(task)
        task.add_done_callback(self._notes.discard)

    async def _write_use(self, key_id: int) -> None:
        try:
            await with_connection(
                self._pool, lambda connection: connection.execute(NOTE_USE, key_id, LAST_USED_EVERY_SECONDS)
            )
        except Exception as error:  # nobody waits for this task, and the request it came from is answered
            log.warning("last use of a key not noted", key_id=key_id, error=type(error).__qualname__)


COOKIE = "tutorq_session"
# A page of another origin cannot send this header without being asked first, and is then refused (CORS). The
# cookie's SameSite=Strict alone would let through other ports of the same host.
PROOF = ("X-Requested-With", "tutorq")
SAFE_METHODS = ("GET", "HEAD")

_header = APIKeyHeader(
    name="X-API-Key",
    scheme_name="ApiKey",
    description="A key made with `tutorq keys create`; the local one is in `$TUTORQ_HOME/api-key`.",
    auto_error=False,
)
_cookie = APIKeyCookie(
    name=COOKIE,
    scheme_name="BrowserSession",
    description=(
        "Set by `POST /api/auth/session`. Requests that change something must carry the header "
        f"`{PROOF[0]}: {PROOF[1]}`."
    ),
    auto_error=False,
)
_CHALLENGE = {"WWW-Authenticate": f'ApiKey header="{_header.model.name}"'}


class RequireKey:
    """Dependency that lets a key with this role (or an admin's) pass. For programs; browsers see `Require`.

    Raises:
        UnauthorizedError: no key, or one that is unknown or revoked.
        ForbiddenError: the key has another role.
    """

    def __init__(self, role: Role) -> None:
        self._role = role

    async def caller(self, request: Request) -> Caller:
        """For an endpoint whose dependencies are not run."""
        return await self(request, request.headers.get(_header.model.name))

    async def __call__(self, request: Request, secret: Annotated[str | None, Security(_header)]) -> Caller:
        if not secret:
            raise UnauthorizedError("Send a key in the header X-API-Key.", headers=_CHALLENGE)
        caller = await _with_key(request, secret)
        _check_role(caller, self._role)
        return caller


class Require:
    """Dependency that lets a key or a browser session with this role (or an admin's) pass. A key is looked at first.

    Raises:
        UnauthorizedError: neither, or one that is unknown, revoked or over.
        ForbiddenError: another role; or a change asked for by a browser, without proof that the page is ours.
    """

    def __init__(self, role: Role) -> None:
        self._role = role

    async def __call__(
        self,
        request: Request,
        secret: Annotated[str | None, Security(_header)],
        cookie: Annotated[str | None, Security(_cookie)],
    ) -> Caller | BrowserCaller:
        if secret or not cookie:
            return await RequireKey(self._role)(request, secret)
        caller = await _with_cookie(request, cookie)
        _check_role(caller, self._role)
        if request.method not in SAFE_METHODS:
            forbid_forgery(request)
        return caller

    async def caller(self, request: Request) -> Caller | BrowserCaller:
        """For an endpoint whose dependencies are not run."""
        return await self(request, request.headers.get(_header.model.name), request.cookies.get(COOKIE))


def forbid_forgery(request: Request) -> None:
    """
    Raises:
        ForbiddenError: the request may come from a page of somebody else.
    """
    name, value = PROOF
    if request.headers.get(name) != value:
        raise ForbiddenError(f"Send the header {name}: {value} with a change under a browser session.")


async def _with_key(request: Request, secret: str) -> Caller:
    key_ring: KeyRing = request.state.key_ring
    caller = await key_ring.find(secret)
    if caller is None:
        raise UnauthorizedError("The key is unknown or revoked.", headers=_CHALLENGE)
    record_of(request.scope).caller = caller.actor
    return caller


async def _with_cookie(request: Request, cookie: str) -> BrowserCaller:
    sessions: BrowserSessions = request.state.browser_sessions
    caller = await sessions.find(cookie)
    if caller is None:
        raise UnauthorizedError("The log-in is over; log in again.", headers=_CHALLENGE)
    record_of(request.scope).caller = caller.actor
    return caller


async def signed_in(request: Request, cookie: Annotated[str | None, Security(_cookie)]) -> BrowserCaller:
    """Dependency: the browser session that the request came with.

    Raises:
        UnauthorizedError: none, or one that is over.
    """
    if not cookie:
        raise UnauthorizedError("Nobody is logged in at this browser.", headers=_CHALLENGE)
    return await _with_cookie(request, cookie)


def _check_role(caller: Caller | BrowserCaller, role: Role) -> None:
    if caller.role not in (role, Role.ADMIN):
        raise ForbiddenError(f"It has the role {caller.role}; {role} or admin is needed.")


# For programs, whose requests are many: the endpoints call it themselves.
INGESTER_KEY = RequireKey(Role.INGEST)
READER_KEY = RequireKey(Role.READ)
