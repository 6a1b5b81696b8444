"""SQL of the audit log. Its columns are the fields of its schema, so the two cannot differ."""

import asyncpg

from api.audit.schemas import AuditEntry, AuditFilters
from api.database import columns, with_connection
from api.paging import Order, Page, SortKey, known_to_postgres, place_of
from api.problems import DatabaseUnavailableError

ORDER = Order(SortKey("entry_id", "bigint", is_descending=True))
LIST = f"""
with matching as (
    select entry_id
    from app.audit_log
    where ($1::text is null or strpos(lower(actor), lower($1)) > 0)
        and ($2::text[] is null or action = any($2))
        and ($3::timestamptz is null or happened_at >= $3)
        and ($4::timestamptz is null or happened_at < $4)
),

{ORDER.pages("matching", limit="$5", offset="$6", place="$7")},

entries as (
    select {columns(AuditEntry, "entry")}
    from app.audit_log as entry
    where entry.entry_id in (select page.entry_id from page)
    order by entry.entry_id desc
)

select
    json_build_object(
        'data', coalesce((select json_agg(entries) from entries), '[]'),
        'meta', json_build_object(
            'total', (select count(*) from matching), 'limit', $5::bigint, 'offset', $6::bigint,
            'next_cursor', following.cursor
        )
    ),
    following.cursor
from following
"""


class AuditLog:
    """Reads `app.audit_log`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def page(self, filters: AuditFilters) -> Page:
        """A page of `AuditList`, newest first.

        Raises:
            DatabaseUnavailableError: the server cannot be reached, or not in time.
        """
        values = (
            filters.actor,
            [action.value for action in filters.action] or None,
            filters.since,
            filters.until,
            filters.limit,
            filters.offset,
            place_of(filters),
        )
        try:
            with known_to_postgres(filters.cursor):
                row = await with_connection(self._pool, lambda connection: connection.fetchrow(LIST, *values))
        except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError) as error:
            raise DatabaseUnavailableError("Its migrations have not been run yet.") from error
        return Page(*row)
