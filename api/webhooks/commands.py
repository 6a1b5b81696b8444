"""What a provider tells of single mails, written to `app.mail_events`, the outbox and the suppression list.

The state of a mail follows from the set of its events and their own times, so their order of arrival does not matter.
"""

from collections.abc import Sequence
from typing import Any

import asyncpg

from api.database import with_connection
from api.problems import DatabaseUnavailableError
from api.webhooks.schemas import SendGridEvent, WebhookReceipt

# Whoever comes second sees all that the first has written.
LOCK = "select report_id from app.email_reports where report_id = any($1::uuid[]) order by report_id for update"

ADD = """
insert into app.mail_events (event_id, report_id, event, reason, happened_at)
select * from unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[])
on conflict (event_id) do nothing
returning report_id, event, reason
"""

# The newest word on the arrival counts, or else any proof that the provider has the mail. Events from before the last
# attempt are about another one; clocks differ, and events are in whole seconds.
SETTLE = """
with outcomes as (
    select distinct on (events.report_id)
        events.report_id,
        events.happened_at,
        events.event in ('bounced', 'blocked', 'dropped') as has_failed,
        events.event = 'delivered' as is_delivered,
        events.event || ': ' || coalesce(events.reason, 'no reason given') as problem
    from app.mail_events as events
    inner join app.email_reports as reports on events.report_id = reports.report_id
    where events.report_id = any($1::uuid[])
        and events.happened_at >= reports.claimed_at - interval '1 minute'
    order by
        events.report_id,
        events.event in ('bounced', 'blocked', 'dropped', 'delivered') desc,
        events.happened_at desc,
        events.event = 'delivered'
),

verdicts as (
    select *, case when has_failed then 'failed' else 'sent' end as state from outcomes
)

update app.email_reports as report
set
    state = verdicts.state,
    error = case when verdicts.has_failed then verdicts.problem end,
    delivered_at = case when verdicts.is_delivered then verdicts.happened_at end,
    settled_at = case when report.state = verdicts.state then report.settled_at else verdicts.happened_at end
from verdicts
where report.report_id = verdicts.report_id
    and report.state <> 'suppressed'
    -- Queued anew by a person: what became of it before is no longer asked.
    and (report.state <> 'queued' or report.attempts > 0)
"""

SUPPRESS = """
insert into app.mail_suppressions (address, reason)
select distinct on (lower(reports.recipient)) lower(reports.recipient), given.reason
from unnest($1::uuid[], $2::text[]) as given (report_id, reason)
inner join app.email_reports as reports on given.report_id = reports.report_id
on conflict (address) do nothing
"""

FORGET = "delete from app.mail_events where received_at < now() - interval '90 days'"

# A mail that SendGrid drops for one of these it would drop every time; other reasons are not about the address.
ABOUT_THE_ADDRESS = ("bounced address", "spam reporting address", "unsubscribed address", "invalid")


class MailEvents:
    """Takes events, each once."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def take(self, events: Sequence[SendGridEvent], ignored: int = 0) -> WebhookReceipt:
        """Write what is new, in one transaction. `ignored` more were no events at all.

        Raises:
            DatabaseUnavailableError: the server cannot be reached, or not in time.
        """
        useful = [event for event in events if event.meaning]
        ignored += len(events) - len(useful)

        async def work(connection: Any) -> WebhookReceipt:
            async with connection.transaction():
                ids = list({event.report_id for event in useful if event.report_id})
                known = {row["report_id"] for row in await connection.fetch(LOCK, ids)}
                ours = [event for event in useful if event.report_id in known]
                added = await connection.fetch(
                    ADD,
                    [event.sg_event_id for event in ours],
                    [event.report_id for event in ours],
                    [event.meaning for event in ours],
                    [event.short_reason for event in ours],
                    [event.happened_at for event in ours],
                )
                await connection.execute(SETTLE, list({row["report_id"] for row in added}))
                unwanted = [
                    (row["report_id"], why) for row in added if (why := _why_suppressed(row["event"], row["reason"]))
                ]
                await connection.execute(SUPPRESS, [each[0] for each in unwanted], [each[1] for each in unwanted])
                await connection.execute(FORGET)
            return WebhookReceipt(
                taken=len(added),
                repeated=len(ours) - len(added),
                unknown=len(useful) - len(ours),
                ignored=ignored,
            )

        try:
            return await with_connection(self._pool, work)
        except asyncpg.UndefinedTableError as error:
            raise DatabaseUnavailableError("Its migrations have not been run yet.") from error


def _why_suppressed(event: str, reason: str | None) -> str | None:
    """Why the address gets no more mail; None if it may."""
    match event:
        case "bounced":
            return f"bounced: {reason}" if reason else "bounced"
        case "spam":
            return "reported as spam"
        case "unsubscribed":
            return "unsubscribed"
        case "dropped" if reason and reason.lower().startswith(ABOUT_THE_ADDRESS):
            return f"dropped: {reason}"
        case _:
            return None
