"""`app.browser_sessions`: opened by a key or a one-time token, found by a cookie, closed by log-out or time.

Nothing is remembered here: people at browsers ask seldom, and a session that is closed ends at once.
"""

import secrets
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import asyncpg

from api.audit_writer import record
from api.database import with_connection
from api.problems import DatabaseUnavailableError
from api.reloaded import Reloaded
from core import keys
from core.audit import Action, Entry
from core.keys import Role

IDLE = timedelta(hours=12)
LONGEST = timedelta(days=7)
RANDOM_BYTES = 32
SUBJECT = "browser_session"
# A page polls twice a minute; more often than this its last use need not be noted.
NOTE_USE_EVERY = timedelta(minutes=1)

EXPIRES_AT = "least(last_seen_at + $2::interval, created_at + $3::interval)"
FIND = f"""
with found as (
    select browser_session_id, name, role, api_key_id, {EXPIRES_AT} as expires_at
    from app.browser_sessions as session
    where token_hash = $1
        and {EXPIRES_AT} > now()
        and not exists (
            select from app.api_keys as opener
            where opener.key_id = session.api_key_id
                and (opener.revoked_at is not null or opener.expires_at <= now())
        )
),

used as (
    update app.browser_sessions as session set last_seen_at = now()
    from found
    where session.browser_session_id = found.browser_session_id
        and session.last_seen_at < now() - $4::interval
)

select * from found
"""
EXPIRED = """
delete from app.browser_sessions where least(last_seen_at + $1::interval, created_at + $2::interval) <= now()
"""
# Deleting is what makes it work once, however many ask at the same time.
TAKE_LINK = "delete from app.login_tokens where token_hash = $1 returning name, role, expires_at > now() as is_valid"
LINKS = "select token_hash from app.login_tokens"
OPEN = f"""
insert into app.browser_sessions (token_hash, name, role, api_key_id) values ($1, $4, $5, $6)
returning browser_session_id, name, role, api_key_id, {EXPIRES_AT} as expires_at
"""
CLOSE = "delete from app.browser_sessions where token_hash = $1 returning browser_session_id, name"
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class BrowserCaller:
    """The browser session that a request came with."""

    browser_session_id: int
    name: str
    role: Role
    expires_at: datetime
    # None if a one-time link opened it.
    api_key_id: int | None

    @property
    def actor(self) -> str:
        """As the audit log names it."""
        return _actor(self.name, self.browser_session_id)

    @property
    def counted_as(self) -> Hashable:
        """Whose share of the server it takes: that of the key that opened it, or else its own."""
        return ("session", self.browser_session_id) if self.api_key_id is None else ("key", self.api_key_id)


class BrowserSessions:
    """Opens, finds and closes sessions.

    Raises (every method):
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        # A token that no link has is told from memory: made-up ones cost the database next to nothing.
        self._links = Reloaded(self._load_links)

    async def find(self, cookie: str) -> BrowserCaller | None:
        """The session with this cookie; None if there is none, or no more. Finding it keeps it alive."""
        row = await self._run(
            lambda connection: connection.fetchrow(FIND, keys.digest(cookie), IDLE, LONGEST, NOTE_USE_EVERY)
        )
        return _caller(row) if row else None

    async def open_for_key(self, key_id: int, name: str, role: Role, address: str) -> tuple[str, BrowserCaller]:
        """A session that ends with the key at the latest; its cookie, which cannot be had again. `address` is the
        client's, for the audit log."""

        async def work(connection: Any) -> tuple[str, BrowserCaller]:
            async with connection.transaction():
                return await _open(connection, name, role, key_id, address)

        return await self._run(work)

    async def open_for_token(self, token: str, address: str) -> tuple[str, BrowserCaller] | None:
        """A session for the token of a one-time link; None if it is unknown, used or too old."""
        digest = keys.digest(token)
        if digest not in await self._links.now():
            return None

        async def work(connection: Any) -> tuple[str, BrowserCaller] | None:
            async with connection.transaction():
                used = await connection.fetchrow(TAKE_LINK, digest)
                if used is None or not used["is_valid"]:
                    return None
                return await _open(connection, used["name"], Role(used["role"]), None, address)

        return await self._run(work)

    async def close(self, cookie: str) -> None:
        """Log out; again changes nothing."""

        async def work(connection: Any) -> None:
            async with connection.transaction():
                row = await connection.fetchrow(CLOSE, keys.digest(cookie))
                if row is not None:
                    number = row["browser_session_id"]
                    actor = _actor(row["name"], number)
                    await record(connection, Entry(actor, Action.LOG_OUT, SUBJECT, str(number)))

        await self._run(work)

    async def _load_links(self) -> frozenset[bytes]:
        rows = await self._run(lambda connection: connection.fetch(LINKS))
        return frozenset(row["token_hash"] for row in rows)

    async def _run(self, work: Callable[[Any], Awaitable[Result]]) -> Result:
        try:
            return await with_connection(self._pool, work)
        except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as error:
            raise DatabaseUnavailableError("Its migrations have not been run yet.") from error


async def _open(
    connection: Any, name: str, role: Role, api_key_id: int | None, address: str
) -> tuple[str, BrowserCaller]:
    cookie = secrets.token_urlsafe(RANDOM_BYTES)
    await connection.execute(EXPIRED, IDLE, LONGEST)
    row = await connection.fetchrow(OPEN, keys.digest(cookie), IDLE, LONGEST, name, role.value, api_key_id)
    caller = _caller(row)
    details = {"role": role, "by": "link" if api_key_id is None else "key", "address": address}
    await record(connection, Entry(caller.actor, Action.LOG_IN, SUBJECT, str(caller.browser_session_id), details))
    return cookie, caller


def _caller(row: Any) -> BrowserCaller:
    return BrowserCaller(
        row["browser_session_id"], row["name"], Role(row["role"]), row["expires_at"], row["api_key_id"]
    )


def _actor(name: str, number: int) -> str:
    return f"{name} (browser session {number})"
