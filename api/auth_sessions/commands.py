"""Log-in links by mail. Nobody learns whether an address is known: the answer comes before anybody has looked."""

import asyncio
from functools import partial
from typing import Any

import asyncpg
import structlog

from api.database import with_connection

# More than these that wait are a flood, whose requests are dropped.
MOST_WAITING = 100
SUBJECT = "Your log-in link for tutorq"
# A person gets a new link when none waits to be sent and the last one mailed is used or about to end. So nobody
# floods the mailbox of somebody else, and nobody who asks in their name keeps them from having a link that works.
# What waits for half an hour is not sent any more. An address of this machine is nobody's mailbox. None where the
# provider decides who has which role ($4): who lost theirs there would get in without asking it.
QUEUE = """
insert into app.email_reports (kind, topic, unique_key, recipient, subject, payload)
select
    'log_in_link', 'log_in_link:' || made.id, 'log_in_link:' || made.id, person.email, $2,
    jsonb_build_object('person_id', person.person_id, 'address', $3::text)
from app.people as person
cross join gen_random_uuid() as made (id)
where lower(person.email) = lower($1)
    and person.is_active
    and lower(person.email) not like '%@localhost'
    and not ($4 and person.oidc_subject is not null)
    and not exists (
        select from app.email_reports as earlier
        where earlier.kind = 'log_in_link'
            and lower(earlier.recipient) = lower(person.email)
            and (
                earlier.created_at > now() - interval '1 minute'
                or (
                    earlier.state in ('queued', 'sending')
                    and earlier.created_at > now() - interval '30 minutes'
                )
            )
    )
    and not exists (
        select from app.login_tokens as link
        where link.person_id = person.person_id
            and link.opened_by = 'mail'
            and link.expires_at > now() + interval '2 minutes'
    )
"""

log = structlog.get_logger("api")


class LinkRequests:
    """Takes requests for links without a word, and queues the mail of those whose address is known.

    `claim_decides`: roles are the OpenID provider's affair, and who has logged in there gets no link.
    """

    def __init__(self, pool: asyncpg.Pool, *, claim_decides: bool) -> None:
        self._pool = pool
        self._claim_decides = claim_decides
        self._waiting: asyncio.Queue[tuple[str, str]] = asyncio.Queue(MOST_WAITING)

    def ask(self, email: str, address: str) -> None:
        """Somebody at this client address wants a link sent to this e-mail address."""
        try:
            self._waiting.put_nowait((email, address))
        except asyncio.QueueFull:
            log.warning("requests for log-in links dropped: too many at once")

    async def run(self) -> None:
        """Queue what has been asked for, one after the other, until cancelled."""
        while True:
            email, address = await self._waiting.get()
            try:
                await with_connection(self._pool, partial(_queue, email, address, self._claim_decides))
            except Exception as error:  # nobody waits for this, and who gets no mail asks again
                log.warning("log-in link not queued", error=type(error).__qualname__)


async def _queue(email: str, address: str, claim_decides: bool, connection: Any) -> None:
    await connection.execute(QUEUE, email, SUBJECT, address, claim_decides)
