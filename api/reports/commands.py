"""What receivers of mail can do about it."""

import hmac
from typing import Any
from uuid import UUID

import asyncpg

from api.database import with_connection
from api.problems import NotFoundError

FIND = "select unsubscribe_token from app.email_reports where report_id = $1"

OPT_OUT = """
with report as (
    select lower(recipient) as address, kind from app.email_reports where report_id = $1
),

opted_out as (
    insert into app.mail_opt_outs (address, kind) select address, kind from report
    on conflict do nothing
    returning kind
),

noted as (
    insert into app.audit_log (actor, action, subject_kind, subject_id, details)
    select 'whoever has the mail', 'mail.opted_out', 'report', $1::uuid::text, jsonb_build_object('kind', kind)
    from opted_out
)

select kind from report
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
            found = await connection.fetchval(FIND, report_id)
            if found is None or not hmac.compare_digest(found.bytes, token.bytes):
                raise NotFoundError("There is no mail with this link.")
            return str(await connection.fetchval(OPT_OUT, report_id))

        return await with_connection(self._pool, work)
