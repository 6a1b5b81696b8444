"""How every channel sends what is in the outbox: one row after the other, each at most once.

A row is set to `sending` and committed before the outside world is called, and the verdict is committed after. So a row
that a later sender finds in `sending` was left by one that died in between: nobody knows whether it has left.
"""

import random
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from core.database import Database
from core.sealing import Sealer
from reports.providers import Verdict

MAX_ATTEMPTS = 6
FIRST_PAUSE = timedelta(minutes=1)
PAUSE_FACTOR = 4
LONGEST_PAUSE = timedelta(hours=24)
PAUSE_OF_ALL = timedelta(minutes=15)


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
    unique_key: str
    endpoint_id: UUID | None


class Channel(ABC):
    """A way out: mail, chat or webhooks. What is defined here holds for those that cannot tell a repetition.

    `lock` lets one sender work at a time. `repeats_unknown`: the receiver can tell a repetition, so an unknown outcome
    is tried again. `shared_by` is what rows have in common that fare alike: nothing, `recipient` or `endpoint_id`.
    """

    name: ClassVar[str]
    lock: ClassVar[int]
    repeats_unknown: ClassVar[bool] = False
    shared_by: ClassVar[str | None] = None
    provider: str

    @abstractmethod
    def suppress(self, connection: psycopg.Connection) -> int:
        """Settle what is not wanted, or no longer; returns how many."""

    @abstractmethod
    def attempt(self, connection: psycopg.Connection, row: Claimed) -> Verdict:
        """Try once, within seconds. What the outside world does is a verdict, not an exception."""

    def attempts_of(self, row: Claimed) -> int:  # noqa: ARG002
        """After how many attempts it is given up."""
        return MAX_ATTEMPTS

    def pause_after(self, attempts: int, wished_seconds: float | None, jitter: random.Random) -> timedelta:
        """How long to wait after the nth attempt."""
        return pause_after(attempts, wished_seconds, jitter)

    def pause_of_others(self, verdict: Verdict, pause: timedelta, jitter: random.Random) -> timedelta:  # noqa: ARG002
        """How long rows wait that would fare as this one: as long as it, or for a while if it is not tried again."""
        return pause if verdict.outcome == "later" else PAUSE_OF_ALL

    def note(self, connection: psycopg.Connection, row: Claimed, verdict: Verdict, state: str) -> str:  # noqa: ARG002
        """Remember the verdict, in the transaction that settles the row; returns the state that the row gets."""
        return state


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

    def add(self, more: "Sent") -> None:
        """What the same sender did next."""
        for outcome in ("accepted", "refused", "later", "unknown", "suppressed", "left_by_dead_sender"):
            setattr(self, outcome, getattr(self, outcome) + getattr(more, outcome))
        self.busy = more.busy

    def to_dict(self) -> dict[str, int]:
        return {
            "sent": self.accepted,
            "failed": self.refused,
            "queued_again": self.later,
            "unknown": self.unknown + self.left_by_dead_sender,
            "suppressed": self.suppressed,
        }


# A row of the channel that is in `sending` while its sender's lock is free.
DEAD = """
update app.email_reports
set
    state = case when %(is_repeated)s then 'queued' else 'unknown' end,
    error = 'the sender died before it had recorded the outcome',
    settled_at = case when not %(is_repeated)s then now() end,
    next_attempt_at = case when %(is_repeated)s then now() else next_attempt_at end
where state = 'sending' and channel = %(channel)s
"""

CLAIM = """
with next as (
    select report_id
    from app.email_reports
    where state = 'queued' and channel = %(channel)s and next_attempt_at <= now()
    -- Thousands of monthly mails must not keep an alert waiting, nor anything who wants to log in, or watches a test.
    order by
        kind = 'tutor_snapshot',
        kind not in ('log_in_link', 'webhook.test') and not starts_with(topic, 'test:'),
        next_attempt_at,
        created_at
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
    report.payload, report.attempts, report.unique_key, report.endpoint_id
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
where report_id = %(report_id)s and claim_id = %(claim_id)s and state in ('sending', 'unknown', 'queued')
"""

PAUSE_OTHERS = """
update app.email_reports set next_attempt_at = now() + %(pause)s
where
    state = 'queued' and channel = %(channel)s and next_attempt_at < now() + %(pause)s and report_id <> %(report_id)s
    and (%(recipient)s::text is null or recipient = %(recipient)s)
    and (%(endpoint_id)s::uuid is null or endpoint_id = %(endpoint_id)s)
"""

STATE_OF = {"accepted": "sent", "refused": "failed", "later": "queued", "unknown": "unknown"}


def send(database: Database, channel: Channel, *, seconds: float = 200, jitter: random.Random | None = None) -> Sent:
    """Send what is due on the channel now, one row after the other, for `seconds` at most; the rest stays queued.

    One sender of a channel works at a time; a second one returns at once.
    """
    done = Sent()
    jitter = jitter or random.Random()
    deadline = time.monotonic() + seconds
    # The lock lives as long as this connection: that of a dead sender is free, and its rows can be told by that.
    with database.connect(autocommit=True) as lock, database.connect(autocommit=True) as connection:
        if not _is_true(lock, "select pg_try_advisory_lock(%s)", channel.lock):
            done.busy = True
            return done
        died = connection.execute(DEAD, {"channel": channel.name, "is_repeated": channel.repeats_unknown}).rowcount
        done.left_by_dead_sender = 0 if channel.repeats_unknown else died
        while time.monotonic() < deadline:
            done.suppressed += channel.suppress(connection)
            with connection.cursor(row_factory=class_row(Claimed)) as cursor:
                row = cursor.execute(CLAIM, {"channel": channel.name, "provider": channel.provider}).fetchone()
            if row is None:
                break
            try:
                verdict = channel.attempt(connection, row)
            except Exception as error:
                verdict = Verdict("unknown", f"the provider's program failed: {type(error).__name__}")
            _settle(connection, channel, row, verdict, jitter)
            setattr(done, verdict.outcome, getattr(done, verdict.outcome) + 1)
    return done


def keep_body(
    connection: psycopg.Connection, row: Claimed, box: Sealer | None, text: str, html: str | None = None
) -> None:
    """Keep what is about to leave, sealed if there is a key."""
    parts = [part if part is None or box is None else box.seal_text(part) for part in (text, html)]
    values = {"text": parts[0], "html": parts[1], "report_id": row.report_id, "claim_id": row.claim_id}
    connection.execute(KEEP_BODY, values)


def pause_after(attempts: int, wished_seconds: float | None, jitter: random.Random) -> timedelta:
    """How long to wait after the nth attempt: 1, 4, 16 … minutes ± 20%, and never less than the provider wishes."""
    return at_least(
        FIRST_PAUSE * float(PAUSE_FACTOR ** (attempts - 1)) * jitter.uniform(0.8, 1.2), wished_seconds, jitter
    )


def at_least(own: timedelta, wished_seconds: float | None, jitter: random.Random) -> timedelta:
    """`own`, or the wish if that is longer, a day at most."""
    wished = min(timedelta(seconds=min(wished_seconds or 0, 1e9)), LONGEST_PAUSE) * jitter.uniform(1.0, 1.1)
    return min(max(own, wished), LONGEST_PAUSE)


def _settle(
    connection: psycopg.Connection, channel: Channel, row: Claimed, verdict: Verdict, jitter: random.Random
) -> None:
    state, error = STATE_OF[verdict.outcome], verdict.reason
    pause = channel.pause_after(row.attempts, verdict.pause_seconds, jitter)
    if state == "unknown" and channel.repeats_unknown:
        state = "queued"
    if state == "queued" and row.attempts >= channel.attempts_of(row):
        state = "unknown" if verdict.outcome == "unknown" else "failed"
        error = f"given up after {row.attempts} attempts: {error}" if row.attempts > 1 else error
    with connection.transaction():
        state = channel.note(connection, row, verdict, state)
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
            # Others would fare alike, and use up their attempts. New ones will try before that.
            others = {
                "channel": channel.name,
                "report_id": row.report_id,
                "pause": channel.pause_of_others(verdict, pause, jitter),
                "recipient": row.recipient if channel.shared_by == "recipient" else None,
                "endpoint_id": row.endpoint_id if channel.shared_by == "endpoint_id" else None,
            }
            connection.execute(PAUSE_OTHERS, others)


def _is_true(connection: psycopg.Connection, query: str, *values: object) -> bool:
    row = connection.execute(query, values).fetchone()
    return bool(row and row[0])
