"""The channel webhook: events, signed by the Standard Webhooks specification, to addresses that an admin has named.

The `webhook-id` is the same at every attempt, and so is the body: a receiver can tell a repetition. So an attempt whose
outcome is unknown is made again (decision 59), over a day and a half, with the specification's pauses.
"""

import json
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row
from standardwebhooks import Webhook

from core import locks
from core.errors import TutorqError
from core.outside import Address
from core.sealing import Sealer, sealer, text_sealer
from core.settings import Settings
from reports import delivery
from reports.delivery import Channel, Claimed
from reports.providers import Verdict
from reports.providers.webhook import GONE, WebhookClient

TEST = "webhook.test"
# Time since the start: 5 s, 5 min, 35 min, 2.5 h, 7.5 h, 17.5 h, 31.5 h.
PAUSES = [
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
]
ATTEMPTS = len(PAUSES) + 1
# What waits behind a failure is tried again by then, whatever the pause of the one that failed.
LONGEST_PAUSE_OF_OTHERS = timedelta(minutes=5)
GONE_ANSWERS = 3
FAILING_FOR = timedelta(days=5)
# More than one delivery has been given up by then.
FAILURES = 10

# The endpoint may have been disabled or deleted since. A person's test is for an endpoint in either state.
SUPPRESS = """
update app.email_reports as report
set
    state = 'suppressed', settled_at = now(),
    error = case when report.endpoint_id is null then 'the endpoint was deleted' else 'the endpoint was disabled' end
where
    report.channel = 'webhook' and report.state = 'queued' and report.kind <> 'webhook.test'
    and not exists (
        select from app.webhook_endpoints as endpoint
        where endpoint.endpoint_id = report.endpoint_id and endpoint.state = 'active'
    )
"""

FIND = """
select
    url, sealed_url, sealed_secret,
    case when old_secret_until > now() then old_sealed_secret end as old_sealed_secret
from app.webhook_endpoints where endpoint_id = %s
"""

ATTEMPTED = """
insert into app.webhook_attempts (report_id, outcome, answer_code, seconds, problem)
values (%(report_id)s, %(outcome)s, %(code)s, %(seconds)s, %(problem)s)
"""

SUCCEEDED = """
update app.webhook_endpoints set failing_since = null, failures = 0, gone = 0
where endpoint_id = %s and (failures > 0 or gone > 0)
"""

# `state` is asked for, so that one that a person has disabled meanwhile keeps its reason.
FAILED = f"""
with counted as (
    select
        endpoint_id,
        coalesce(failing_since, now()) as failing_since,
        failures + 1 as failures,
        case when %(is_gone)s then gone + 1 else 0 end as gone
    from app.webhook_endpoints
    where endpoint_id = %(endpoint_id)s and state = 'active'
    for update
),

judged as (
    select
        *,
        case
            when gone >= {GONE_ANSWERS} then 'gone'
            when failures >= {FAILURES} and failing_since <= now() - %(failing_for)s then 'failing'
        end as ended_by
    from counted
)

update app.webhook_endpoints as endpoint
set
    failing_since = judged.failing_since,
    failures = judged.failures,
    gone = judged.gone,
    state = case when judged.ended_by is null then endpoint.state else 'disabled' end,
    disabled_by = judged.ended_by,
    disabled_why = case judged.ended_by
        when 'gone' then 'its receiver has answered 410 Gone ' || judged.gone || ' times in a row'
        when 'failing' then 'nothing has arrived since ' || to_char(judged.failing_since, 'FMDD Mon YYYY')
            || ', in ' || judged.failures || ' attempts'
    end
from judged
where endpoint.endpoint_id = judged.endpoint_id
returning endpoint.state
"""

EVER_UNKNOWN = """
select exists (
    select from app.webhook_attempts where report_id = %s and outcome = 'unknown'
)
"""


@dataclass(frozen=True, slots=True)
class _Endpoint:
    url: str | None
    sealed_url: str | None
    sealed_secret: str
    old_sealed_secret: str | None


class WebhookChannel(Channel):
    """Signs and posts. One row goes to one endpoint."""

    name = "webhook"
    provider = "http"
    lock = locks.WEBHOOK_SENDER
    repeats_unknown = True
    shared_by = "endpoint_id"

    def __init__(self, settings: Settings, client: WebhookClient | None = None) -> None:
        self._settings = settings
        self._client = client or WebhookClient(allow_private=settings.webhooks_allow_private)
        self._sealer: Sealer | None = None
        self._seconds = 0.0

    def suppress(self, connection: psycopg.Connection) -> int:
        return connection.execute(SUPPRESS).rowcount

    def attempts_of(self, row: Claimed) -> int:
        """Of a test its maker wants to see what came of it."""
        return 1 if row.kind == TEST else ATTEMPTS

    def pause_after(self, attempts: int, wished_seconds: float | None, jitter: random.Random) -> timedelta:
        """The specification's pauses, up to a fifth longer, and never less than the receiver wishes."""
        own = PAUSES[min(attempts, len(PAUSES)) - 1] * jitter.uniform(1.0, 1.2)
        return delivery.at_least(own, wished_seconds, jitter)

    def pause_of_others(self, verdict: Verdict, pause: timedelta, jitter: random.Random) -> timedelta:
        """Each of them costs a look at a receiver that may be down for hours."""
        return delivery.at_least(min(pause, LONGEST_PAUSE_OF_OTHERS), verdict.pause_seconds, jitter)

    def attempt(self, connection: psycopg.Connection, row: Claimed) -> Verdict:
        self._seconds = 0.0
        body = body_of(row.payload)
        began = time.monotonic()
        try:
            delivery.keep_body(connection, row, text_sealer(self._settings), body)
            address, headers = self._prepare(connection, row, body)
        except TutorqError as error:
            return Verdict("later", str(error))
        verdict = self._client.post(address, headers, body.encode())
        self._seconds = time.monotonic() - began
        return verdict

    def note(self, connection: psycopg.Connection, row: Claimed, verdict: Verdict, state: str) -> str:
        values = {
            "report_id": row.report_id,
            "outcome": verdict.outcome,
            "code": verdict.answer_code,
            "seconds": self._seconds,
            "problem": verdict.reason,
        }
        connection.execute(ATTEMPTED, values)
        if verdict.outcome == "accepted":
            connection.execute(SUCCEEDED, [row.endpoint_id])
        elif row.kind != TEST:
            failed = {
                "endpoint_id": row.endpoint_id,
                "is_gone": verdict.answer_code == GONE,
                "failing_for": FAILING_FOR,
            }
            connection.execute(FAILED, failed)
        if state == "failed":
            (was_unknown,) = connection.execute(EVER_UNKNOWN, [row.report_id]).fetchone() or (False,)
            return "unknown" if was_unknown else state
        return state

    def _prepare(self, connection: psycopg.Connection, row: Claimed, body: str) -> tuple[Address, dict[str, str]]:
        """
        Raises:
            TutorqError: its secret or its address cannot be read, or its address may not be called (any more).
        """
        with connection.cursor(row_factory=class_row(_Endpoint)) as cursor:
            endpoint = cursor.execute(FIND, [row.endpoint_id]).fetchone()
        if endpoint is None:
            raise TutorqError("the endpoint was deleted")
        self._sealer = self._sealer or sealer(self._settings)
        sealed = [endpoint.sealed_secret, *([endpoint.old_sealed_secret] if endpoint.old_sealed_secret else [])]
        secrets = [self._sealer.unseal(each) for each in sealed]
        url = endpoint.url or self._sealer.unseal(str(endpoint.sealed_url))
        address = Address.of(url, allow_http=self._settings.webhooks_allow_http)
        return address, signed_headers(webhook_id(row.unique_key), body, secrets, datetime.now(UTC))


def body_of(payload: dict[str, Any]) -> str:
    """The body: the same bytes at every attempt."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def unique_key(event_id: UUID, endpoint_id: UUID) -> str:
    """Of the row that tells this endpoint of this event."""
    return f"webhook:{event_id}:{endpoint_id}"


def webhook_id(key: str) -> str:
    """What the receiver tells repetitions by: the event's id, whatever the endpoint."""
    return f"msg_{key.split(':')[1].replace('-', '')}"


def signed_headers(message_id: str, body: str, secrets: list[str], now: datetime) -> dict[str, str]:
    """As the specification names them, with a signature by each secret."""
    return {
        "Content-Type": "application/json",
        "User-Agent": "tutorq",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(message_id, now, body) for secret in secrets),
    }
