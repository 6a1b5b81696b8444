"""What receivers of mail can do about it."""

import hmac
from typing import Any
from uuid import UUID

import asyncpg

from api.audit_writer import record
from api.database import with_connection
from api.problems import NotFoundError
from core.audit import Action, Entry

RECEIVER = "whoever has the mail"

FIND = "select unsubscribe_token, kind from app.email_reports where report_id = $1"

OPT_OUT = """
insert into app.mail_opt_outs (address, kind) select lower(recipient), kind from app.email_reports where report_id = $1
on conflict do nothing
returning kind
"""


class MailPreferences:
    """Writes `app.mail_opt_outs`, which senders check before every mail."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def unsubscribe(self, report_id: UUID, token: UUID) -> str:
        """Stop this kind of mail for the receiver of one; again changes nothing. Returns the kind.

        Raises:
            NotFoundError: there is no mail with this id and this token.
            DatabaseUnavailableError: the server cannot be reached, or not in time.
        """

        async def work(connection: Any) -> str:
            found = await connection.fetchrow(FIND, report_id)
            if found is None or not hmac.compare_digest(found["unsubscribe_token"].bytes, token.bytes):
                raise NotFoundError("There is no mail with this link.")
            kind = str(found["kind"])
            async with connection.transaction():
                if await connection.fetchval(OPT_OUT, report_id) is not None:
                    entry = Entry(RECEIVER, Action.MAIL_OPTED_OUT, "report", str(report_id), {"kind": kind})
                    await record(connection, entry)
            return kind

        return await with_connection(self._pool, work)
