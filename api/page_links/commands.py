"""Makes and revokes links to tutors' own pages, and finds the tutor of one."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from api.audit_writer import record
from api.database import with_app_tables
from api.page_links.schemas import PageLink
from api.paths import NO_TUTOR
from api.problems import ConflictError, NotFoundError
from core import keys, page_links
from core.audit import Action, Entry
from core.settings import Settings

NOT_ACTIVE = "The tutor has not been active for so long that their page does not open."
IS_KNOWN = "select exists (select from raw.tutors where tutor_id = $1)"
# A tutor who is gone has no page, whatever links there are.
FIND = f"""
select tutors.tutor_id, links.made_by
from app.page_links as links
inner join raw.tutors as tutors on links.tutor_id = tutors.tutor_id
where links.token_hash = $1 and links.expires_at > now() and {page_links.OPENS.format(left_for="$2")}
"""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whose page somebody has opened, and who made the link: they could have opened it, too."""

    tutor_id: UUID
    link_made_by: str


class PageLinks:
    """Reads and writes `app.page_links`.

    Raises (every method):
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    """

    def __init__(self, pool: asyncpg.Pool, settings: Settings) -> None:
        self._pool = pool
        self._settings = settings

    async def create(self, tutor_id: UUID, actor: str) -> PageLink:
        """A link that opens the tutor's page until it expires; earlier ones go on working.

        Raises:
            NotFoundError: there is no such tutor.
            ConflictError: the tutor has not been active for too long.
        """
        token = page_links.new_token()

        async def work(connection: Any) -> PageLink:
            async with connection.transaction():
                await connection.execute(page_links.FORGET_EXPIRED)
                lasts = page_links.lifetime(self._settings)
                made = (keys.digest(token), tutor_id, actor, lasts, page_links.left_for(self._settings))
                expires_at = await connection.fetchval(page_links.INSERT, *made)
                if expires_at is None:
                    is_known = await connection.fetchval(IS_KNOWN, tutor_id)
                    raise ConflictError(NOT_ACTIVE) if is_known else NotFoundError(NO_TUTOR)
                await record(connection, page_links.made_entry(actor, tutor_id, expires_at))
            return PageLink(url=page_links.url_of(self._settings, token), expires_at=expires_at)

        return await with_app_tables(self._pool, work)

    async def revoke(self, tutor_id: UUID, actor: str) -> None:
        """End all links of a tutor, and the pages that they have opened. Again changes nothing."""

        async def work(connection: Any) -> None:
            async with connection.transaction():
                revoked = await connection.fetch(page_links.REVOKE, tutor_id)
                valid = sum(row["was_valid"] for row in revoked)
                if valid:
                    details = {"links": valid}
                    entry = Entry(actor, Action.PAGE_LINK_REVOKE, page_links.SUBJECT, str(tutor_id), details)
                    await record(connection, entry)

        await with_app_tables(self._pool, work)

    async def visitor(self, token: str) -> Visitor | None:
        """Whose page a token opens; None if it is unknown, expired or revoked, or the page does not open any more."""
        arguments = (keys.digest(token), page_links.left_for(self._settings))
        row = await with_app_tables(self._pool, lambda connection: connection.fetchrow(FIND, *arguments))
        return None if row is None else Visitor(row["tutor_id"], row["made_by"])
