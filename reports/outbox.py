"""The outbox `app.email_reports`: every mail, chat message and webhook once, and nothing sent twice.

    queued ──► sending ──► sent | failed | unknown
       │ ▲         │
       │ └─────────┘ it has certainly not arrived (or, of a webhook, can be told if it has): again later
       └──► suppressed  not wanted, or no longer; or a log-in link comes too late

What is queued is sent by `delivery`, channel by channel: `mail`, `chat`, `webhooks`.
"""

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from core.database import Database
from core.settings import Settings
from reports import delivery
from reports.delivery import Sent
from reports.mail import MailChannel
from reports.providers import Provider

NOBODY = "nobody"
NO_STAFF = "TUTORQ_STAFF_EMAILS is not set"


@dataclass(frozen=True, slots=True)
class Draft:
    """Something to tell: `payload` holds all that the text is made of, as JSON.

    `told_by` is the topic of another mail that tells it too; then it is recorded and not sent.
    """

    kind: str
    topic: str
    recipients: Sequence[str]
    subject: str
    payload: dict[str, Any]
    told_by: str | None = None

    @property
    def not_sent_because(self) -> str | None:
        if not self.recipients:
            return NO_STAFF
        return f"told in one mail with others: {self.told_by}" if self.told_by else None


QUEUE = """
insert into app.email_reports (kind, topic, unique_key, recipient, subject, payload, state, error, settled_at)
select
    %(kind)s, %(topic)s, %(topic)s || ':' || recipient, recipient, %(subject)s, %(payload)s,
    case when %(problem)s::text is null then 'queued' else 'suppressed' end,
    %(problem)s,
    case when %(problem)s::text is not null then now() end
from unnest(%(recipients)s::text[]) as recipient
-- Who joins the staff later is not told of what the others were told before.
where not exists (select from app.email_reports as earlier where earlier.topic = %(topic)s)
on conflict (unique_key) do nothing
"""

REQUEUE_FAILED = """
update app.email_reports
set state = 'queued', attempts = 0, next_attempt_at = now(), settled_at = null
where state = 'failed' and kind <> 'log_in_link' and channel <> 'webhook'
"""


def enqueue(connection: psycopg.Connection, drafts: Iterable[Draft]) -> int:
    """Put drafts into the outbox, one row per recipient; a topic that is there already is left as it is.

    Mail for nobody is recorded as suppressed, so that it can be seen what was not told. Returns the new rows.
    """
    rows = 0
    for draft in drafts:
        rows += connection.execute(
            QUEUE,
            {
                "kind": draft.kind,
                "topic": draft.topic,
                "recipients": list(draft.recipients) or [NOBODY],
                "subject": draft.subject,
                "payload": Jsonb(draft.payload, dumps=_json),
                "problem": draft.not_sent_because,
            },
        ).rowcount
    return rows


def requeue_failed(database: Database) -> int:
    """Queue anew all mail and chat messages that were refused, given up or sent back; none of it has arrived.

    Log-in links are not: whoever still wants one asks again. Webhooks are sent again one by one, by the API.
    """
    with database.connect() as connection:
        return connection.execute(REQUEUE_FAILED).rowcount


def something_to_do(database: Database) -> bool:
    """There is something to send now, or a row that a dead sender may have left. One cheap query."""
    with database.connect() as connection:
        row = connection.execute(
            """
            select exists (
                select from app.email_reports
                where (state = 'queued' and next_attempt_at <= now())
                    or (state = 'sending' and claimed_at < now() - interval '1 minute')
            )
            """
        ).fetchone()
    return bool(row and row[0])


def send_due(
    settings: Settings,
    database: Database,
    provider: Provider,
    *,
    seconds: float = 200,
    jitter: random.Random | None = None,
) -> Sent:
    """Send the mail that is due now, one after the other, for `seconds` at most; what is left stays queued.

    One sender works at a time; a second one returns at once.
    """
    return delivery.send(database, MailChannel(settings, provider), seconds=seconds, jitter=jitter)


def _json(payload: object) -> str:
    return json.dumps(payload, default=str)  # dates and ids as text
