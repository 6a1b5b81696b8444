"""SQL of the quarantine. Its columns are the fields of its schema, so the two cannot differ."""

import asyncpg

from api.database import columns, with_app_tables
from api.paging import Order, Page, SortKey, known_to_postgres, place_of
from api.quarantine.schemas import QuarantineConditions, QuarantineFilters, RefusedRow

# The arguments are those of `condition_arguments`.
CONDITIONS = """
($1::text is null or entity = $1)
and ($2::text is null or source = $2)
and ($3::text is null or delivered_id = $3)
and ($4::text is null or strpos(lower(reason), lower($4)) > 0 or strpos(lower(content), lower($4)) > 0)
and ($5::timestamptz is null or last_seen_at >= $5)
and ($6::timestamptz is null or last_seen_at < $6)
and ($7::boolean is null or is_remark = $7)
"""
ORDER = Order(
    SortKey("last_seen_at", "timestamptz", is_descending=True), SortKey("quarantine_id", "bigint", is_descending=True)
)
LIST = f"""
with matching as (select quarantine_id, last_seen_at from raw.quarantine where {CONDITIONS}),

{ORDER.pages("matching", limit="$8", offset="$9", place="$10")},

refused as (
    select {columns(RefusedRow, "refused")}
    from page
    inner join raw.quarantine as refused on page.quarantine_id = refused.quarantine_id
    order by {ORDER.sql}
)

select
    json_build_object(
        'data', coalesce((select json_agg(refused) from refused), '[]'),
        'meta', json_build_object(
            'total', (select count(*) from matching), 'limit', $8::bigint, 'offset', $9::bigint,
            'next_cursor', following.cursor
        )
    ),
    following.cursor
from following
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
        conditions.is_remark,
    )


class Quarantine:
    """Reads `raw.quarantine`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def page(self, filters: QuarantineFilters) -> Page:
        """A page of `QuarantineList`.

        Raises:
            DatabaseUnavailableError: the server cannot be reached, or not in time.
        """
        values = (*condition_arguments(filters), filters.limit, filters.offset, place_of(filters))
        with known_to_postgres(filters.cursor):
            row = await with_app_tables(self._pool, lambda connection: connection.fetchrow(LIST, *values))
        return Page(*row)
