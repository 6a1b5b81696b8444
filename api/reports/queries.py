"""SQL of the audit trail of mail. Its columns are the fields of its schemas, so the two cannot differ."""

from uuid import UUID

import asyncpg

from api.database import columns, with_app_tables
from api.paging import Order, Page, SortKey, known_to_postgres, place_of
from api.problems import ForbiddenError, NotFoundError
from api.reports.schemas import Report, ReportDetail, ReportFilters
from api.sealed import opened, with_opened
from core.appeals import ANSWER, RECEIVED
from core.roles import Role
from core.settings import Settings
from ingest.ids import entity_uuid

MISSING = "There is no mail with this id."

# $1: the addresses are shown. Providers quote them in their errors.
SHOWN = r"""
select
    report_id, channel, kind, state, subject, topic, attempts, provider, created_at, settled_at, delivered_at,
    case
        when $1::boolean then recipient
        else regexp_replace(recipient, '^(.).*@', '\1…@')
    end as recipient,
    case
        when $1::boolean then error
        else regexp_replace(error, '[^\s<>"'',;:]+@[^\s<>"'',;:]+', '…', 'g')
    end as error,
    coalesce(
        (select jsonb_agg(distinct tutor) from jsonb_array_elements(tutor_ids) as tutor where tutor <> 'null'), '[]'
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
    -- Webhooks have lists of their own.
    where channel <> 'webhook'
        and ($2::text[] is null or kind = any($2))
        and ($3::text[] is null or state = any($3))
        and ($4::jsonb is null or tutor_ids @> $4)
        and ($5::timestamptz is null or created_at >= $5)
        and ($9::text is null or strpos(lower(recipient), lower($9)) > 0)
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

# $3: kinds of which the text is not shown.
ONE = f"""
select json_build_object('data', report)
from (
    select {columns(ReportDetail, "shown")}
    from (
        select
            known.*,
            case when mail.kind <> all($3::text[]) then mail.body_text end as body_text,
            case when mail.kind <> all($3::text[]) then mail.body_html end as body_html
        from ({SHOWN} where report_id = $2 and channel <> 'webhook') as known
        inner join app.email_reports as mail on known.report_id = mail.report_id
    ) as shown
) as report
"""

HTML = "select body_html from app.email_reports where report_id = $1 and channel <> 'webhook' and kind <> all($2)"
# They repeat what a tutor has said of their health or family: for those who work on it, as /api/appeals has it.
PERSONAL = (RECEIVED, ANSWER)


class AuditTrail:
    """Reads `app.email_reports`. Every method gives JSON as the schemas describe it.

    Raises (every method):
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    """

    def __init__(self, pool: asyncpg.Pool, settings: Settings) -> None:
        self._pool = pool
        self._settings = settings

    async def page(self, filters: ReportFilters, *, with_addresses: bool) -> Page:
        """A page of `ReportList`, newest first.

        Raises:
            ForbiddenError: receivers are looked for without the right to see addresses, which would tell them.
        """
        if filters.recipient and not with_addresses:
            raise ForbiddenError("Only admins see addresses, so only they can filter by `recipient`.")
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
            filters.recipient,
        )
        with known_to_postgres(filters.cursor):
            row = await with_app_tables(self._pool, lambda connection: connection.fetchrow(LIST, *arguments))
        return Page(*row)

    async def report(self, report_id: UUID, role: Role) -> bytes:
        """A `ReportResponse`, as this role may see it.

        Raises:
            NotFoundError: there is no such mail.
            NotConfiguredError: the key that its text was encrypted with is not there.
        """
        body = await self._value(ONE, role is Role.ADMIN, report_id, _hidden(role))
        if body is None:
            raise NotFoundError(MISSING)
        assert isinstance(body, bytes)
        return await with_opened(self._settings, body, "body_text", "body_html")

    async def html(self, report_id: UUID, role: Role) -> str:
        """The HTML part as it was handed to the provider.

        Raises:
            NotFoundError: there is no such mail, it has not been handed to one, or this role may not see its text.
            NotConfiguredError: the key that it was encrypted with is not there.
        """
        html = await self._value(HTML, report_id, _hidden(role))
        if html is None:
            raise NotFoundError("There is no mail with this id that has been handed to a provider.")
        return await opened(self._settings, str(html))

    async def _value(self, sql: str, *arguments: object) -> object:
        return await with_app_tables(self._pool, lambda connection: connection.fetchval(sql, *arguments))


def _hidden(role: Role) -> list[str]:
    return [*PERSONAL] if role is Role.READ else []
