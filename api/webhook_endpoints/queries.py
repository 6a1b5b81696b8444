"""SQL of webhooks and their deliveries. Its columns are the fields of its schemas, so the two cannot differ."""

from typing import Any
from uuid import UUID

import asyncpg

from api.database import columns, with_app_tables
from api.paging import Order, Page, SortKey, known_to_postgres, place_of
from api.problems import NotFoundError
from api.sealed import with_opened
from api.webhook_endpoints.schemas import DeliveryFilters, WebhookDelivery, WebhookDeliveryDetail, WebhookEndpoint
from core.settings import Settings

NO_ENDPOINT = "There is no webhook with this id."
NO_DELIVERY = "This webhook has no delivery with this id."

ENDPOINTS = """
select
    endpoint_id, host, description, kinds, state, disabled_by, disabled_why, failing_since, failures,
    created_by, created_at, changed_at,
    case when old_secret_until > now() then old_secret_until end as old_secret_until,
    (
        select max(settled_at) from app.email_reports as report
        where report.endpoint_id = endpoint.endpoint_id and report.state = 'sent'
    ) as last_accepted_at,
    (
        select count(*) from app.email_reports as report
        where report.endpoint_id = endpoint.endpoint_id and report.state in ('queued', 'sending')
    ) as waiting
from app.webhook_endpoints as endpoint
"""
LIST_ENDPOINTS = f"""
select json_build_object('data', coalesce(json_agg(one order by one.created_at, one.endpoint_id), '[]'))
from (select {columns(WebhookEndpoint, "shown")} from ({ENDPOINTS}) as shown) as one
"""
ONE_ENDPOINT = f"""
select json_build_object('data', one)
from (select {columns(WebhookEndpoint, "shown")} from ({ENDPOINTS} where endpoint_id = $1) as shown) as one
"""
IS_ENDPOINT = "select exists (select from app.webhook_endpoints where endpoint_id = $1)"

DELIVERIES = """
select
    report_id as delivery_id,
    'msg_' || replace(split_part(unique_key, ':', 2), '-', '') as webhook_id,
    kind, state, attempts, replays, error, created_at, settled_at,
    case when state = 'queued' then next_attempt_at end as next_attempt_at,
    (
        select attempt.answer_code from app.webhook_attempts as attempt
        where attempt.report_id = report.report_id
        order by attempt.attempted_at desc limit 1
    ) as answer_code,
    body_text as body,
    coalesce(
        (
            select json_agg(
                json_build_object(
                    'attempted_at', attempt.attempted_at, 'outcome', attempt.outcome,
                    'answer_code', attempt.answer_code, 'seconds', attempt.seconds, 'problem', attempt.problem
                )
                order by attempt.attempted_at desc
            )
            from app.webhook_attempts as attempt where attempt.report_id = report.report_id
        ),
        '[]'
    ) as tries
from app.email_reports as report
"""
ORDER = Order(SortKey("created_at", "timestamptz", is_descending=True), SortKey("report_id", "uuid"))
LIST_DELIVERIES = f"""
with matching as (
    select report_id, created_at
    from app.email_reports
    where
        endpoint_id = $1
        and ($2::text[] is null or kind = any($2))
        and ($3::text[] is null or state = any($3))
),

{ORDER.pages("matching", limit="$4", offset="$5", place="$6")},

deliveries as (
    select {columns(WebhookDelivery, "shown")}
    from ({DELIVERIES} where report_id in (select page.report_id from page)) as shown
    order by shown.created_at desc, shown.delivery_id
)

select
    json_build_object(
        'data', coalesce((select json_agg(deliveries) from deliveries), '[]'),
        'meta', json_build_object(
            'total', (select count(*) from matching), 'limit', $4::bigint, 'offset', $5::bigint,
            'next_cursor', following.cursor
        )
    ),
    following.cursor
from following
"""
ONE_DELIVERY = f"""
select json_build_object('data', one)
from (
    select {columns(WebhookDeliveryDetail, "shown")}
    from ({DELIVERIES} where endpoint_id = $1 and report_id = $2) as shown
) as one
"""


class WebhookQueries:
    """Reads `app.webhook_endpoints` and what the outbox has for them. Every method gives JSON as the schemas say.

    Raises (every method):
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    """

    def __init__(self, pool: asyncpg.Pool, settings: Settings) -> None:
        self._pool = pool
        self._settings = settings

    async def endpoints(self) -> bytes:
        """A `WebhookEndpointList`."""
        body: bytes = await self._value(LIST_ENDPOINTS)
        return body

    async def endpoint(self, endpoint_id: UUID) -> bytes:
        """A `WebhookEndpointResponse`.

        Raises:
            NotFoundError: there is none with this id.
        """
        return _found(await self._value(ONE_ENDPOINT, endpoint_id), NO_ENDPOINT)

    async def deliveries(self, endpoint_id: UUID, filters: DeliveryFilters) -> Page:
        """A page of `WebhookDeliveryList`, the newest first.

        Raises:
            NotFoundError: there is no such endpoint.
        """
        if not await self._value(IS_ENDPOINT, endpoint_id):
            raise NotFoundError(NO_ENDPOINT)
        arguments = (
            endpoint_id,
            [str(kind) for kind in filters.kind] or None,
            [state.value for state in filters.state] or None,
            filters.limit,
            filters.offset,
            place_of(filters),
        )
        with known_to_postgres(filters.cursor):
            row = await with_app_tables(self._pool, lambda connection: connection.fetchrow(LIST_DELIVERIES, *arguments))
        return Page(*row)

    async def delivery(self, endpoint_id: UUID, delivery_id: UUID) -> bytes:
        """A `WebhookDeliveryResponse`.

        Raises:
            NotFoundError: this endpoint has none with this id.
            NotConfiguredError: the key that its body was encrypted with is not there.
        """
        body = _found(await self._value(ONE_DELIVERY, endpoint_id, delivery_id), NO_DELIVERY)
        return await with_opened(self._settings, body, "body")

    async def _value(self, sql: str, *arguments: object) -> Any:
        return await with_app_tables(self._pool, lambda connection: connection.fetchval(sql, *arguments))


def _found(body: Any, missing: str) -> bytes:
    if body is None:
        raise NotFoundError(missing)
    assert isinstance(body, bytes)
    return body
