"""SQL of the audit log. Its columns are the fields of its schema, so the two cannot differ."""

import asyncpg

from api.audit.schemas import AuditEntry, AuditFilters
from api.database import columns, with_connection
from api.problems import DatabaseUnavailableError

LIST = f"""
with matching as (
    select entry_id
    from app.audit_log
    where ($1::text is null or strpos(lower(actor), lower($1)) > 0)
        and ($2::text[] is null or action = any($2))
        and ($3::timestamptz is null or happened_at >= $3)
        and ($4::timestamptz is null or happened_at < $4)
),

page as (
    select entry_id from matching order by entry_id desc limit $5 offset $6
),

entries as (
    select {columns(AuditEntry, "entry")}
    from app.audit_log as entry
    where entry.entry_id in (select page.entry_id from page)
    order by entry.entry_id desc
)

select json_build_object(
    'data', coalesce((select json_agg(entries) from entries), '[]'),
    'meta', json_build_object(
        'total', (select count(*) from matching), 'limit', $5::bigint, 'offset', $6::bigint
    )
)
"""


class AuditLog:
    """Reads `app.audit_log`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def page(self, filters: AuditFilters) -> bytes:
        """A page of `AuditList` as JSON, newest first.

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
        )
        try:
            body = await with_connection(self._pool, lambda connection: connection.fetchval(LIST, *values))
        except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError) as error:
            raise DatabaseUnavailableError("Its migrations have not been run yet.") from error
        assert isinstance(body, bytes)
        return body
