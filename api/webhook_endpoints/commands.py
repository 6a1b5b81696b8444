"""Webhook endpoints, each change written together with its entry in the audit log. Of addresses the log has the host
alone: a path may hold a secret."""

import asyncio
import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from api import bodies
from api.audit_writer import record
from api.database import with_app_tables
from api.problems import ConflictError, FieldError, NotConfiguredError, NotFoundError
from api.webhook_endpoints.queries import NO_DELIVERY, NO_ENDPOINT
from api.webhook_endpoints.schemas import WebhookEndpointPatch, WebhookEndpointPost
from core.audit import Action, Entry
from core.errors import TutorqError
from core.outside import NO_HTTPS, Address, AddressRefusedError, resolve
from core.sealing import sealer
from core.settings import Settings

SUBJECT = "webhook"
SECRET_BYTES = 32
MOST_ENDPOINTS = 50

ADD = """
insert into app.webhook_endpoints (host, sealed_url, kinds, description, sealed_secret, created_by)
values ($1, $2, $3, $4, $5, $6)
returning endpoint_id
"""
COUNT = "select count(*) from app.webhook_endpoints"
FIND = """
select host, kinds, description, state from app.webhook_endpoints where endpoint_id = $1 for update
"""
# $7: another address, sealed; null leaves it as it is. Whatever is told anew, or of more, is told from now on: what
# happened before is no news.
CHANGE = """
update app.webhook_endpoints
set
    host = $2, kinds = $3, description = $4, state = $5, changed_at = now(),
    sealed_url = coalesce($7, sealed_url), url = case when $7::text is null then url end,
    active_since = case
        when $5 = 'active' and (state <> 'active' or not $3 <@ kinds) then now() else active_since
    end,
    disabled_by = case when $5 = 'active' then null else coalesce(disabled_by, 'person') end,
    disabled_why = case when $5 = 'active' then null else coalesce(disabled_why, $6) end,
    failing_since = case when $5 = 'active' and (state <> 'active' or $7 is not null) then null else failing_since end,
    failures = case when $5 = 'active' and (state <> 'active' or $7 is not null) then 0 else failures end,
    gone = case when $5 = 'active' and (state <> 'active' or $7 is not null) then 0 else gone end
where endpoint_id = $1
"""
SUPPRESS = """
update app.email_reports set state = 'suppressed', error = $2, settled_at = now()
where endpoint_id = $1 and state = 'queued'
"""
REMOVE = "delete from app.webhook_endpoints where endpoint_id = $1 returning host"
# A secret before the old one ends at once: its holder has had a day.
RENEW = """
update app.webhook_endpoints
set
    old_sealed_secret = sealed_secret, old_secret_until = now() + interval '24 hours', sealed_secret = $2,
    changed_at = now()
where endpoint_id = $1
returning old_secret_until, host
"""
TEST = """
insert into app.email_reports (channel, kind, topic, unique_key, recipient, subject, payload, endpoint_id)
select
    'webhook', 'webhook.test', 'event:' || test.event_id, 'webhook:' || test.event_id || ':' || endpoint_id,
    host, 'webhook.test',
    jsonb_build_object(
        'type', 'webhook.test',
        'timestamp', to_char(now() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'data', jsonb_build_object('endpoint_id', endpoint_id)
    ),
    endpoint_id
from app.webhook_endpoints
cross join (select gen_random_uuid() as event_id) as test
where endpoint_id = $1
returning report_id, recipient
"""
FIND_DELIVERY = """
select report.kind, report.state, endpoint.state as endpoint_state
from app.email_reports as report
inner join app.webhook_endpoints as endpoint on endpoint.endpoint_id = report.endpoint_id
where report.endpoint_id = $1 and report.report_id = $2
for update of report
"""
# One that waits is tried now, and keeps its attempts.
REPLAY = """
update app.email_reports
set
    attempts = case when state = 'queued' then attempts else 0 end,
    state = 'queued', next_attempt_at = now(), settled_at = null, replays = replays + 1
where report_id = $1
"""


@dataclass(frozen=True, slots=True)
class Renewed:
    """A new secret, and until when the old one signs, too."""

    secret: str
    old_secret_until: datetime


class Webhooks:
    """Adds, changes and removes endpoints, tests them, and has deliveries sent again.

    Raises (every method):
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    """

    def __init__(self, pool: asyncpg.Pool, settings: Settings) -> None:
        self._pool = pool
        self._settings = settings

    async def add(self, post: WebhookEndpointPost, actor: str) -> tuple[UUID, str]:
        """The new endpoint and its secret, which cannot be had again.

        Raises:
            InvalidRequestError: the address is none, or leads where nobody may go.
            ConflictError: there are as many as there may be.
            NotConfiguredError: there is no key to encrypt the secret with.
        """
        address = await self._checked(post.url)
        secret = _new_secret()
        sealed_url, sealed = await self._sealed(str(address)), await self._sealed(secret)

        async def work(connection: Any) -> UUID:
            async with connection.transaction():
                if await connection.fetchval(COUNT) >= MOST_ENDPOINTS:
                    raise ConflictError(f"There are {MOST_ENDPOINTS} webhooks, which is the most; delete one first.")
                kinds = [kind.value for kind in post.kinds]
                values = (address.authority, sealed_url, kinds, post.description, sealed, actor)
                endpoint_id: UUID = await connection.fetchval(ADD, *values)
                details = {"host": address.authority, "kinds": kinds}
                await record(connection, Entry(actor, Action.WEBHOOK_ADD, SUBJECT, str(endpoint_id), details))
                return endpoint_id

        return await with_app_tables(self._pool, work), secret

    async def change(self, endpoint_id: UUID, patch: WebhookEndpointPatch, actor: str) -> None:
        """Change what is given. One that is switched off forgets what waits for it.

        Raises:
            NotFoundError: there is no such endpoint.
            InvalidRequestError: the new address is none, or leads where nobody may go.
            NotConfiguredError: there is no key to encrypt the address with.
        """
        given = patch.model_dump(mode="json", exclude_unset=True)
        given = {name: value for name, value in given.items() if value is not None or name == "description"}
        sealed_url = None
        if url := given.pop("url", None):
            address = await self._checked(url)
            given["host"], sealed_url = address.authority, await self._sealed(str(address))

        async def work(connection: Any) -> None:
            async with connection.transaction():
                found = await connection.fetchrow(FIND, endpoint_id)
                if found is None:
                    raise NotFoundError(NO_ENDPOINT)
                known = dict(found)
                after = {**known, **given}
                if after == known and sealed_url is None:
                    return
                why = f"switched off by {actor}"
                await connection.execute(CHANGE, endpoint_id, *after.values(), why, sealed_url)
                if after["state"] == "disabled":
                    await connection.execute(SUPPRESS, endpoint_id, f"the endpoint was {why}")
                details = _differences(known, after)
                if sealed_url is not None:
                    details["url"] = {"to": "another one"}
                await record(connection, Entry(actor, Action.WEBHOOK_CHANGE, SUBJECT, str(endpoint_id), details))

        await with_app_tables(self._pool, work)

    async def remove(self, endpoint_id: UUID, actor: str) -> None:
        """Delete an endpoint, and forget what waits for it. What was delivered stays in the outbox.

        Raises:
            NotFoundError: there is no such endpoint.
        """

        async def work(connection: Any) -> None:
            async with connection.transaction():
                await connection.execute(SUPPRESS, endpoint_id, "the endpoint was deleted")
                host = await connection.fetchval(REMOVE, endpoint_id)
                if host is None:
                    raise NotFoundError(NO_ENDPOINT)
                entry = Entry(actor, Action.WEBHOOK_REMOVE, SUBJECT, str(endpoint_id), {"host": host})
                await record(connection, entry)

        await with_app_tables(self._pool, work)

    async def renew_secret(self, endpoint_id: UUID, actor: str) -> Renewed:
        """A new secret; the old one signs for another day, too.

        Raises:
            NotFoundError: there is no such endpoint.
            NotConfiguredError: there is no key to encrypt the secret with.
        """
        secret = _new_secret()
        sealed = await self._sealed(secret)

        async def work(connection: Any) -> Renewed:
            async with connection.transaction():
                row = await connection.fetchrow(RENEW, endpoint_id, sealed)
                if row is None:
                    raise NotFoundError(NO_ENDPOINT)
                entry = Entry(actor, Action.WEBHOOK_SECRET, SUBJECT, str(endpoint_id), {"host": row["host"]})
                await record(connection, entry)
                return Renewed(secret, row["old_secret_until"])

        return await with_app_tables(self._pool, work)

    async def test(self, endpoint_id: UUID, actor: str) -> UUID:
        """Queue a test, which is tried once; returns the delivery.

        Raises:
            NotFoundError: there is no such endpoint.
        """

        async def work(connection: Any) -> UUID:
            async with connection.transaction():
                row = await connection.fetchrow(TEST, endpoint_id)
                if row is None:
                    raise NotFoundError(NO_ENDPOINT)
                entry = Entry(actor, Action.WEBHOOK_TEST, SUBJECT, str(endpoint_id), {"host": row["recipient"]})
                await record(connection, entry)
                delivery_id: UUID = row["report_id"]
                return delivery_id

        return await with_app_tables(self._pool, work)

    async def replay(self, endpoint_id: UUID, delivery_id: UUID, actor: str) -> None:
        """Have a delivery sent again, whatever became of it, with the same id and body.

        Raises:
            NotFoundError: this endpoint has no such delivery.
            ConflictError: it is being sent, or the endpoint is disabled.
        """

        async def work(connection: Any) -> None:
            async with connection.transaction():
                found = await connection.fetchrow(FIND_DELIVERY, endpoint_id, delivery_id)
                if found is None:
                    raise NotFoundError(NO_DELIVERY)
                if found["state"] == "sending":
                    raise ConflictError("It is being sent at this moment.")
                if found["endpoint_state"] == "disabled":
                    raise ConflictError("The webhook is disabled; switch it on first.")
                await connection.execute(REPLAY, delivery_id)
                details = {"delivery": str(delivery_id), "kind": found["kind"], "was": found["state"]}
                await record(connection, Entry(actor, Action.WEBHOOK_REPLAY, SUBJECT, str(endpoint_id), details))

        await with_app_tables(self._pool, work)

    async def _checked(self, url: str) -> Address:
        """The address. Whoever sends checks it again, since names may lead elsewhere by then."""
        settings = self._settings
        problems: list[str] = []
        try:
            address = Address.of(url, allow_http=True)
            if address.scheme == "http" and not settings.webhooks_allow_http:
                problems.append(f"{NO_HTTPS}; TUTORQ_WEBHOOKS_ALLOW_HTTP=true allows http")
            allow_private = settings.webhooks_allow_private
            await asyncio.to_thread(resolve, address.host, address.port, allow_private=allow_private)
        except AddressRefusedError as error:
            problems.append(str(error))
        except (OSError, UnicodeError):  # TimeoutError is an OSError
            problems.append("has a host whose address cannot be found")
        if problems:
            raise bodies.invalid([FieldError(field="url", message="; it ".join(problems))])
        return address

    async def _sealed(self, secret: str) -> str:
        try:
            # Read anew: the key may have been rotated since.
            box = await asyncio.to_thread(sealer, self._settings)
        except TutorqError as error:
            raise NotConfiguredError(f"{error}.") from error
        return box.seal(secret)


def _new_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    return {name: {"from": before[name], "to": after[name]} for name in before if before[name] != after[name]}
