"""`app.browser_sessions`: opened for a person or by a key, found by a cookie, closed by log-out or time.

Nothing is remembered here: people at browsers ask seldom, and a session that is closed ends at once.
"""

import secrets
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import asyncpg

from api.audit_writer import record
from api.database import with_app_tables
from api.reloaded import Reloaded
from core import keys
from core.audit import Action, Entry
from core.browser_sessions import EXPIRES_AT, IDLE, LIVE, LONGEST, SUBJECT
from core.people import actor_of
from core.roles import Role

RANDOM_BYTES = 32
# A page polls twice a minute; more often than this its last use need not be noted.
NOTE_USE_EVERY = timedelta(minutes=1)

OF_COOKIE = f"{LIVE} and session.token_hash = $1"
FIND = f"""
with found as ({OF_COOKIE}),

used as (
    update app.browser_sessions as session set last_seen_at = now()
    from found
    where session.browser_session_id = found.browser_session_id
        and session.last_seen_at < now() - $4::interval
    returning session.person_id
),

seen as (
    update app.people as person set last_seen_at = now() from used where person.person_id = used.person_id
)

select * from found
"""
EXPIRED = """
delete from app.browser_sessions where least(last_seen_at + $1::interval, created_at + $2::interval) <= now()
"""
# Deleting is what makes it work once, however many ask at the same time.
TAKE_LINK = """
delete from app.login_tokens as link using app.people as person
where link.token_hash = $1 and link.person_id = person.person_id
returning link.person_id, link.opened_by, link.expires_at > now() and person.is_active as is_valid
"""
LINKS = "select token_hash from app.login_tokens"
OPEN = f"""
with opened as (
    insert into app.browser_sessions as session
        (token_hash, person_id, api_key_id, opened_by, address, user_agent)
    values ($1, $4, $5, $6, $7, $8)
    returning browser_session_id, person_id, api_key_id, {EXPIRES_AT} as expires_at
),

seen as (
    update app.people set last_seen_at = now() where person_id = $4
)

select
    opened.*, coalesce(person.name, opener.name) as name, coalesce(person.role, opener.role) as role
from opened
left join app.people as person on opened.person_id = person.person_id
left join app.api_keys as opener on opened.api_key_id = opener.key_id
"""
CLOSE = "delete from app.browser_sessions where browser_session_id = $1"


class OpenedBy(StrEnum):
    """Means of log-in: a key, a link given to them, a link mailed to them, or their organisation."""

    KEY = "key"
    LINK = "link"
    MAIL = "mail"
    OIDC = "oidc"


@dataclass(frozen=True, slots=True)
class Browser:
    """What the audit log and the list of sessions tell of a browser: the client's address, and what it calls itself."""

    address: str
    user_agent: str | None


@dataclass(frozen=True, slots=True)
class BrowserCaller:
    """The browser session that a request came with: that of a person, or else of a key."""

    browser_session_id: int
    name: str
    role: Role
    expires_at: datetime
    person_id: int | None
    api_key_id: int | None

    @property
    def actor(self) -> str:
        """As the audit log names it."""
        if self.person_id is not None:
            return actor_of(self.name, self.person_id)
        return f"{self.name} (browser session {self.browser_session_id})"

    @property
    def counted_as(self) -> tuple[str, Hashable]:
        """Whose share of the server it takes: that of the person, or of the key that opened it."""
        return ("key", self.api_key_id) if self.person_id is None else ("person", self.person_id)


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
        row = await with_app_tables(
            self._pool, lambda connection: connection.fetchrow(FIND, keys.digest(cookie), IDLE, LONGEST, NOTE_USE_EVERY)
        )
        return _caller(row) if row else None

    async def open_for_key(self, key_id: int, browser: Browser) -> tuple[str, BrowserCaller]:
        """A session that ends with the key at the latest; its cookie, which cannot be had again."""

        async def work(connection: Any) -> tuple[str, BrowserCaller]:
            async with connection.transaction():
                return await open_session(connection, None, key_id, OpenedBy.KEY, browser)

        return await with_app_tables(self._pool, work)

    async def open_for_token(self, token: str, browser: Browser) -> tuple[str, BrowserCaller] | None:
        """A session for the token of a one-time link; None if it is unknown, used, too old, or of somebody who is
        shut out."""
        digest = keys.digest(token)
        if digest not in await self._links.now():
            return None

        async def work(connection: Any) -> tuple[str, BrowserCaller] | None:
            async with connection.transaction():
                used = await connection.fetchrow(TAKE_LINK, digest)
                if used is None or not used["is_valid"]:
                    return None
                return await open_session(connection, used["person_id"], None, OpenedBy(used["opened_by"]), browser)

        return await with_app_tables(self._pool, work)

    async def close(self, cookie: str) -> None:
        """Log out; again changes nothing."""

        async def work(connection: Any) -> None:
            async with connection.transaction():
                row = await connection.fetchrow(OF_COOKIE, keys.digest(cookie), IDLE, LONGEST)
                if row is not None:
                    caller = _caller(row)
                    number = caller.browser_session_id
                    await connection.execute(CLOSE, number)
                    await record(connection, Entry(caller.actor, Action.LOG_OUT, SUBJECT, str(number)))

        await with_app_tables(self._pool, work)

    async def _load_links(self) -> frozenset[bytes]:
        rows = await with_app_tables(self._pool, lambda connection: connection.fetch(LINKS))
        return frozenset(row["token_hash"] for row in rows)


async def open_session(
    connection: Any, person_id: int | None, api_key_id: int | None, by: OpenedBy, browser: Browser
) -> tuple[str, BrowserCaller]:
    """A session of a person or of a key, in the transaction of the connection; its cookie cannot be had again."""
    cookie = secrets.token_urlsafe(RANDOM_BYTES)
    await connection.execute(EXPIRED, IDLE, LONGEST)
    about = (person_id, api_key_id, by.value, browser.address, browser.user_agent)
    row = await connection.fetchrow(OPEN, keys.digest(cookie), IDLE, LONGEST, *about)
    caller = _caller(row)
    details = {"role": caller.role, "by": by, "address": browser.address}
    await record(connection, Entry(caller.actor, Action.LOG_IN, SUBJECT, str(caller.browser_session_id), details))
    return cookie, caller


def _caller(row: Any) -> BrowserCaller:
    whose = row["person_id"], row["api_key_id"]
    return BrowserCaller(row["browser_session_id"], row["name"], Role(row["role"]), row["expires_at"], *whose)
