"""SQL of the audit trail of mail. Its columns are the fields of its schemas, so the two cannot differ."""

from uuid import UUID

import asyncpg

from api.database import columns, with_app_tables
from api.paging import Order, Page, SortKey, known_to_postgres, place_of
from api.problems import NotFoundError
from api.reports.schemas import Report, ReportDetail, ReportFilters
from ingest.ids import entity_uuid

MISSING = "There is no mail with this id."

# $1: the addresses are shown. Providers quote them in their errors.
SHOWN = r"""
select
    report_id, kind, state, subject, topic, attempts, provider, created_at, settled_at, delivered_at,
    body_text, body_html,
    case
        when $1::boolean then recipient
        else regexp_replace(recipient, '^(.).*@', '\1…@')
    end as recipient,
    case
        when $1::boolean then error
        else regexp_replace(error, '[^\s<>"'',;:]+@[^\s<>"'',;:]+', '…', 'g')
    end as error,
    coalesce(
        (select jsonb_agg(distinct tutor) from jsonb_array_elements(tutor_ids) as tutor), '[]'
    ) as tutor_ids,
    case when state = 'queued' then next_attempt_at end as next_attempt_at,
    body_html is not null as has_body
from app.email_reports
"""

ORDER = Order(SortKey("created_at", "timestamptz", is_descending=True), SortKey("report_id", "uuid"))
LIST = f"""
with matching as (
    select report_id, created_at
    from app.email_reports
    where ($2::text[] is null or kind = any($2))
        and ($3::text[] is null or state = any($3))
        and ($4::jsonb is null or tutor_ids @> $4)
        and ($5::timestamptz is null or created_at >= $5)
),

{ORDER.pages("matching", limit="$6", offset="$7", place="$8")},

reports as (
    select {columns(Report, "shown")}
    from ({SHOWN} where report_id in (select page.report_id from page)) as shown
    order by shown.created_at desc, shown.report_id
)

select
    json_build_object(
        'data', coalesce((select json_agg(reports) from reports), '[]'),
        'meta', json_build_object(
            'total', (select count(*) from matching), 'limit', $6::bigint, 'offset', $7::bigint,
            'next_cursor', following.cursor
        )
    ),
    following.cursor
from following
"""

ONE = f"""
select json_build_object('data', report)
from (select {columns(ReportDetail, "shown")} from ({SHOWN} where report_id = $2) as shown) as report
"""

HTML = "select body_html from app.email_reports where report_id = $1"


class AuditTrail:
    """Reads `app.email_reports`. Every method gives JSON as the schemas describe it.

    Raises (every method):
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def page(self, filters: ReportFilters, *, with_addresses: bool) -> Page:
        """A page of `ReportList`, newest first."""
        tutor = f'["{entity_uuid(filters.tutor_id)}"]' if filters.tutor_id else None
        arguments = (
            with_addresses,
            [kind.value for kind in filters.kind] or None,
            [state.value for state in filters.state] or None,
            tutor,
            filters.since,
            filters.limit,
            filters.offset,
            place_of(filters),
        )
        with known_to_postgres(filters.cursor):
            row = await with_app_tables(self._pool, lambda connection: connection.fetchrow(LIST, *arguments))
        return Page(*row)

    async def report(self, report_id: UUID, *, with_addresses: bool) -> bytes:
        """A `ReportResponse`.

        Raises:
            NotFoundError: there is no such mail.
        """
        body = await self._value(ONE, with_addresses, report_id)
        if body is None:
            raise NotFoundError(MISSING)
        assert isinstance(body, bytes)
        return body

    async def html(self, report_id: UUID) -> str:
        """The HTML part as it was handed to the provider.

        Raises:
            NotFoundError: there is no such mail, or it has not been handed to one.
        """
        html = await self._value(HTML, report_id)
        if html is None:
            raise NotFoundError("There is no mail with this id that has been handed to a provider.")
        return str(html)

    async def _value(self, sql: str, *arguments: object) -> object:
        return await with_app_tables(self._pool, lambda connection: connection.fetchval(sql, *arguments))
