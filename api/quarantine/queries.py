"""SQL of the quarantine. Its columns are the fields of its schema, so the two cannot differ."""

import asyncpg

from api.database import columns, with_app_tables
from api.quarantine.schemas import QuarantineConditions, QuarantineFilters, RefusedRow

# The arguments are those of `condition_arguments`.
CONDITIONS = """
($1::text is null or entity = $1)
and ($2::text is null or source = $2)
and ($3::text is null or delivered_id = $3)
and ($4::text is null or strpos(lower(reason), lower($4)) > 0 or strpos(lower(content), lower($4)) > 0)
and ($5::timestamptz is null or last_seen_at >= $5)
and ($6::timestamptz is null or last_seen_at < $6)
"""
LIST = f"""
with matching as (select quarantine_id, last_seen_at from raw.quarantine where {CONDITIONS}),

page as (select * from matching order by last_seen_at desc, quarantine_id desc limit $7 offset $8),

refused as (
    select {columns(RefusedRow, "refused")}
    from page
    inner join raw.quarantine as refused on page.quarantine_id = refused.quarantine_id
    order by page.last_seen_at desc, page.quarantine_id desc
)

select json_build_object(
    'data', coalesce((select json_agg(refused) from refused), '[]'),
    'meta', json_build_object(
        'total', (select count(*) from matching), 'limit', $7::bigint, 'offset', $8::bigint
    )
)
"""


def condition_arguments(conditions: QuarantineConditions) -> tuple[object, ...]:
    """The arguments of `CONDITIONS`."""
    return (
        conditions.entity,
        conditions.source,
        None if conditions.id is None else conditions.id.strip(),
        conditions.search,
        conditions.since,
        conditions.until,
    )


class Quarantine:
    """Reads `raw.quarantine`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def page(self, filters: QuarantineFilters) -> bytes:
        """A page of `QuarantineList` as JSON.

        Raises:
            DatabaseUnavailableError: the server cannot be reached, or not in time.
        """
        values = (*condition_arguments(filters), filters.limit, filters.offset)
        body = await with_app_tables(self._pool, lambda connection: connection.fetchval(LIST, *values))
        assert isinstance(body, bytes)
        return body
