"""The outbox `app.email_reports`: every mail once, and nothing sent twice.

    queued ──► sending ──► sent | failed | unknown
       │ ▲         │
       │ └─────────┘ the provider has certainly not taken it: again later, six attempts in all
       └──► suppressed  the address or the kind is not wanted, or a log-in link comes too late

A row is set to `sending` and committed before the provider is called, and the verdict is committed after. So a row
that a later sender finds in `sending` was left by one that died in between: nobody knows whether the provider has
it, and it becomes `unknown`, which is never sent again by itself.
"""

import json
import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from core import locks, logins, people
from core.database import Database
from core.errors import TutorqError
from core.settings import Settings
from reports.providers import Mail, Provider, Verdict
from reports.render import render

MAX_ATTEMPTS = 6
FIRST_PAUSE = timedelta(minutes=1)
PAUSE_FACTOR = 4
LONGEST_PAUSE = timedelta(hours=24)
PAUSE_OF_ALL = timedelta(minutes=15)
NOBODY = "nobody"
NO_STAFF = "TUTORQ_STAFF_EMAILS is not set"
LOG_IN_LINK = "log_in_link"
# What stands in the stored text in place of a secret.
NOT_KEPT = "…"


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


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row taken for sending."""

    report_id: UUID
    claim_id: UUID
    unsubscribe_token: UUID
    kind: str
    recipient: str
    subject: str
    payload: dict[str, Any]
    attempts: int


@dataclass(slots=True)
class Sent:
    """What a sender did, by outcome. `busy`: another one was at work."""

    accepted: int = 0
    refused: int = 0
    later: int = 0
    unknown: int = 0
    suppressed: int = 0
    left_by_dead_sender: int = 0
    busy: bool = False

    def to_dict(self) -> dict[str, int]:
        return {
            "sent": self.accepted,
            "failed": self.refused,
            "queued_again": self.later,
            "unknown": self.unknown + self.left_by_dead_sender,
            "suppressed": self.suppressed,
        }


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

DEAD = """
update app.email_reports
set state = 'unknown', error = 'the sender died before it had recorded the outcome', settled_at = now()
where state = 'sending'
"""

# What somebody does not want, or no longer, is settled here, at the last moment; the rest is claimed one by one.
SUPPRESS = """
with unwanted as (
    select
        report.report_id,
        case
            when suppression.address is not null then 'the address is suppressed: ' || suppression.reason
            when opt_out.address is not null then 'the recipient has opted out of ' || report.kind
            else 'asked for more than 30 minutes ago'
        end as why
    from app.email_reports as report
    left join app.mail_suppressions as suppression on suppression.address = lower(report.recipient)
    left join app.mail_opt_outs as opt_out
        on opt_out.address = lower(report.recipient) and opt_out.kind = report.kind
    where
        report.state = 'queued'
        and (
            suppression.address is not null
            or opt_out.address is not null
            -- Who has asked for it waits no longer, and a link that works should not arrive hours later.
            or (report.kind = 'log_in_link' and report.created_at < now() - interval '30 minutes')
        )
    for update of report skip locked
)

update app.email_reports as report
set state = 'suppressed', error = unwanted.why, settled_at = now()
from unwanted
where report.report_id = unwanted.report_id
"""

CLAIM = """
with next as (
    select report_id
    from app.email_reports
    where state = 'queued' and next_attempt_at <= now()
    -- Thousands of monthly mails must not keep an alert waiting, nor anything who wants to log in.
    order by kind = 'tutor_snapshot', kind <> 'log_in_link', next_attempt_at, created_at
    limit 1
    for update skip locked
)

update app.email_reports as report
set
    state = 'sending', attempts = attempts + 1, claim_id = gen_random_uuid(), claimed_at = now(),
    provider = %(provider)s, error = null
from next
where report.report_id = next.report_id
returning
    report.report_id, report.claim_id, report.unsubscribe_token, report.kind, report.recipient, report.subject,
    report.payload, report.attempts
"""

# Before the provider is called, so that it can be seen what may have left even if this sender dies.
KEEP_BODY = """
update app.email_reports set body_text = %(text)s, body_html = %(html)s
where report_id = %(report_id)s and claim_id = %(claim_id)s
"""

# `unknown` too: if this sender was only thought dead, it knows better. The claim tells whose verdict counts.
SETTLE = """
update app.email_reports
set
    state = %(state)s,
    error = %(error)s,
    provider_message_id = %(message_id)s,
    next_attempt_at = case when %(state)s = 'queued' then now() + %(pause)s else next_attempt_at end,
    settled_at = case when %(state)s <> 'queued' then now() end
where report_id = %(report_id)s and claim_id = %(claim_id)s and state in ('sending', 'unknown')
"""

PAUSE_OTHERS = """
update app.email_reports set next_attempt_at = now() + %(pause)s
where state = 'queued' and next_attempt_at < now() + %(pause)s
"""

REQUEUE_FAILED = """
update app.email_reports
set state = 'queued', attempts = 0, next_attempt_at = now(), settled_at = null
where state = 'failed' and kind <> 'log_in_link'
"""

STATE_OF = {"accepted": "sent", "refused": "failed", "later": "queued", "unknown": "unknown"}


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
    """Queue anew all mail that was refused, given up or sent back; none of it has arrived.

    Log-in links are not: whoever still wants one asks again.
    """
    with database.connect() as connection:
        return connection.execute(REQUEUE_FAILED).rowcount


def something_to_do(database: Database) -> bool:
    """There is mail to send now, or a row that a dead sender may have left. One cheap query."""
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
    """Send what is due now, one mail after the other, for `seconds` at most; what is left stays queued.

    One sender works at a time; a second one returns at once.
    """
    done = Sent()
    jitter = jitter or random.Random()
    deadline = time.monotonic() + seconds
    # The lock lives as long as this connection: that of a dead sender is free, and its rows can be told by that.
    with database.connect(autocommit=True) as lock, database.connect(autocommit=True) as connection:
        if not _is_true(lock, "select pg_try_advisory_lock(%s)", locks.MAIL_SENDER):
            done.busy = True
            return done
        done.left_by_dead_sender = connection.execute(DEAD).rowcount
        while time.monotonic() < deadline:
            done.suppressed += connection.execute(SUPPRESS).rowcount
            with connection.cursor(row_factory=class_row(Claimed)) as cursor:
                row = cursor.execute(CLAIM, {"provider": provider.name}).fetchone()
            if row is None:
                break
            verdict = _attempt(settings, connection, provider, row)
            _settle(connection, row, verdict, jitter)
            setattr(done, verdict.outcome, getattr(done, verdict.outcome) + 1)
    return done


def pause_after(attempts: int, wished_seconds: float | None, jitter: random.Random) -> timedelta:
    """How long to wait after the nth attempt: 1, 4, 16 … minutes ± 20%, and never less than the provider wishes."""
    own = FIRST_PAUSE * float(PAUSE_FACTOR ** (attempts - 1)) * jitter.uniform(0.8, 1.2)
    wished = timedelta(seconds=wished_seconds or 0) * jitter.uniform(1.0, 1.1)
    return min(max(own, wished), LONGEST_PAUSE)


def _attempt(settings: Settings, connection: psycopg.Connection, provider: Provider, row: Claimed) -> Verdict:
    try:
        # Made only now: in the outbox it would be for everybody who may look at mail, and grow old.
        link = _log_in_link(settings, connection, row) if row.kind == LOG_IN_LINK else None
        rendered = render(settings, row.kind, row.subject, row.payload | ({"link": link} if link else {}))
        mail = Mail(
            report_id=row.report_id,
            kind=row.kind,
            sender=settings.mail_from,
            recipient=row.recipient,
            subject=row.subject,
            text=rendered.text,
            html=rendered.html,
            headers={} if link else unsubscribe_headers(settings, row.kind, row.report_id, row.unsubscribe_token),
        )
        mail.to_message()
    except Exception as error:
        # Nothing has left yet, and another attempt would end alike. The error may quote data: only its name is kept.
        return Verdict("refused", f"no mail can be made of it ({type(error).__name__})")
    text, html = (_without_token(part, link) for part in (mail.text, mail.html))
    connection.execute(KEEP_BODY, {"text": text, "html": html, "report_id": row.report_id, "claim_id": row.claim_id})
    try:
        return provider.send(mail)
    except Exception as error:
        return Verdict("unknown", f"the provider's program failed: {type(error).__name__}")


def _log_in_link(settings: Settings, connection: psycopg.Connection, row: Claimed) -> str:
    person = people.with_id(connection, row.payload["person_id"])
    if person is None or person.email.lower() != row.recipient.lower():
        raise TutorqError("the person has been removed since, or has another address")
    asked_from = row.payload.get("address")
    return logins.create_link(connection, settings, person, by="mail", actor="mail", asked_from=asked_from)


def _without_token(text: str, link: str | None) -> str:
    return text.replace(link.partition("token=")[2], NOT_KEPT) if link else text


def _settle(connection: psycopg.Connection, row: Claimed, verdict: Verdict, jitter: random.Random) -> None:
    state, error = STATE_OF[verdict.outcome], verdict.reason
    pause = pause_after(row.attempts, verdict.pause_seconds, jitter)
    if state == "queued" and row.attempts >= MAX_ATTEMPTS:
        state, error = "failed", f"given up after {row.attempts} attempts: {error}"
    connection.execute(
        SETTLE,
        {
            "state": state,
            "error": error,
            "message_id": verdict.message_id,
            "pause": pause,
            "report_id": row.report_id,
            "claim_id": row.claim_id,
        },
    )
    if verdict.concerns_all:
        # Others would fare alike, and use up their attempts. New mail will try before that.
        connection.execute(PAUSE_OTHERS, {"pause": pause if verdict.outcome == "later" else PAUSE_OF_ALL})


def unsubscribe_headers(settings: Settings, kind: str, report_id: UUID, token: UUID) -> dict[str, str]:
    """RFC 2369 and, where the API can be reached from outside, RFC 8058."""
    by_mail = f"<mailto:{settings.mail_from}?subject=unsubscribe%20{kind}>"
    if settings.public_url is None:
        return {"List-Unsubscribe": by_mail}
    by_click = f"<{settings.public_url.rstrip('/')}/api/reports/{report_id}/unsubscribe?token={token}>"
    return {"List-Unsubscribe": f"{by_click}, {by_mail}", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def _json(payload: object) -> str:
    return json.dumps(payload, default=str)  # dates and ids as text


def _is_true(connection: psycopg.Connection, query: str, *values: object) -> bool:
    row = connection.execute(query, values).fetchone()
    return bool(row and row[0])
