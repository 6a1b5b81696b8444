"""Whom the OpenID provider names, as a person who is known here, or is made known."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import asyncpg

from api.audit_writer import record
from api.browser_sessions import Browser, BrowserCaller, OpenedBy, open_session
from api.database import with_app_tables
from api.oidc import Identity
from core.audit import Action, Entry
from core.browser_sessions import END, ended_entry, values
from core.people import EMAIL, GIVE_CASES_BACK, SUBJECT
from core.roles import Role

ACTOR = "OpenID provider"

# By the provider's own name for them; by address only the first time, and only if the provider vouches for it.
FIND = """
select person_id, name, role, is_active, oidc_subject
from app.people
where oidc_subject = $1 or (oidc_subject is null and $3 and lower(email) = lower($2))
order by oidc_subject nulls last
limit 1
for update
"""
OF_SUBJECT = """
select person_id, name, role, is_active, oidc_subject from app.people where oidc_subject = $1 for update
"""
IS_KNOWN = "select exists (select from app.people where oidc_subject = $1)"
FORGET_LINKS = "delete from app.login_tokens where person_id = $1"
# Nothing if the address is that of somebody with another name at the provider.
ADD = """
insert into app.people (name, email, role, oidc_subject) values ($1, $2, $3, $4)
on conflict (lower(email)) do nothing
returning person_id, name, role, is_active, oidc_subject
"""
CHANGE = "update app.people set role = $2, oidc_subject = $3 where person_id = $1"


class Turned(StrEnum):
    """Why somebody who was at the provider is not let in; the log-in page says it in words."""

    UNKNOWN = "unknown"
    NO_ROLE = "no-role"
    SHUT_OUT = "shut-out"
    # What came back is not what went out, or the provider did not let them in itself.
    FAILED = "failed"


class Identities:
    """Opens sessions for people whom the provider names.

    `claim_decides`: the provider's claim says who has which role, and the role here follows at each log-in; nothing is
    left to who has none any more. `lets_in`: who is unknown here, or has no role there, gets the role read.

    Raises (every coroutine):
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    """

    def __init__(self, pool: asyncpg.Pool, *, claim_decides: bool, lets_in: bool) -> None:
        self._pool = pool
        self._claim_decides = claim_decides
        self._lets_in = lets_in

    async def open(self, identity: Identity, browser: Browser) -> tuple[str, BrowserCaller] | Turned:
        """A session's cookie, and whose it is; or why there is none."""

        async def work(connection: Any) -> tuple[str, BrowserCaller] | Turned:
            async with connection.transaction():
                found = await self._person(connection, identity)
                if isinstance(found, Turned):
                    return found
                return await open_session(connection, found, None, OpenedBy.OIDC, browser)

        return await with_app_tables(self._pool, work)

    async def is_known(self, subject: str) -> bool:
        """Whether a person with this name at the provider has logged in here."""
        return bool(await with_app_tables(self._pool, lambda connection: connection.fetchval(IS_KNOWN, subject)))

    async def _person(self, connection: Any, identity: Identity) -> int | Turned:
        role = identity.role or (Role.READ if self._lets_in else None)
        if self._claim_decides and role is None:
            await _take_rights(connection, identity.subject)
            return Turned.NO_ROLE
        email = identity.email if identity.email and EMAIL.fullmatch(identity.email) else None
        is_verified = email is not None and identity.is_email_verified
        row = await connection.fetchrow(FIND, identity.subject, email, is_verified)
        if row is None:
            if not self._lets_in or not is_verified:
                return Turned.UNKNOWN
            assert role is not None, "who lets strangers in gives them one"
            row = await connection.fetchrow(ADD, identity.name or email, email, role.value, identity.subject)
            if row is None:
                return Turned.UNKNOWN
            await _note(connection, row, Action.PERSON_ADD, {"email": email, "role": role})
        if not row["is_active"]:
            return Turned.SHUT_OUT
        new_role = role if self._claim_decides and role is not None else Role(row["role"])
        await _change(connection, row, new_role, identity.subject)
        return int(row["person_id"])


async def _take_rights(connection: Any, subject: str) -> None:
    """Of somebody who has no role at the provider any more: their role, their sessions, and links not used yet."""
    row = await connection.fetchrow(OF_SUBJECT, subject)
    if row is None:
        return
    await _change(connection, row, Role.READ, subject)
    await connection.execute(FORGET_LINKS, row["person_id"])
    ended = await connection.fetch(END, *values(row["person_id"]))
    await record(
        connection, *(ended_entry(ACTOR, each["browser_session_id"], each["name"], each["person_id"]) for each in ended)
    )


async def _change(connection: Any, row: Any, role: Role, subject: str) -> None:
    """Make role and name at the provider these, and note what differs."""
    await connection.execute(CHANGE, row["person_id"], role.value, subject)
    wanted = {"role": role.value, "oidc_subject": subject}
    differs: dict[str, object] = {
        key: {"from": row[key], "to": value} for key, value in wanted.items() if row[key] != value
    }
    if "role" in differs and role is Role.READ:
        given = await connection.fetch(GIVE_CASES_BACK, row["person_id"], False, ACTOR, row["name"])
        if given:
            differs["cases_given_back"] = sorted(each["case_id"] for each in given)
    if differs:
        await _note(connection, row, Action.PERSON_CHANGE, differs)


async def _note(connection: Any, row: Any, action: Action, details: Mapping[str, object]) -> None:
    await record(connection, Entry(ACTOR, action, SUBJECT, str(row["person_id"]), {"name": row["name"], **details}))
