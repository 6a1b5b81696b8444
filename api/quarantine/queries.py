"""SQL of the quarantine. Its columns are the fields of its schema, so the two cannot differ."""

from typing import Any

import asyncpg

from api.database import columns, with_app_tables
from api.paging import Order, Page, SortKey, known_to_postgres, place_of
from api.quarantine.schemas import QuarantineConditions, QuarantineFilters, RefusedRow
from api.quarantine.sealing import ids_with, with_opened_rows
from core.sealing import MARK
from core.settings import Settings

# The arguments are those of `condition_arguments`.
CONDITIONS = f"""
($1::text is null or entity = $1)
and ($2::text is null or source = $2)
and ($3::text is null or delivered_id = $3)
and (
    $4::text is null or strpos(lower(reason), lower($4)) > 0 or quarantine_id = any($8::bigint[])
    or (not starts_with(content, '{MARK}') and strpos(lower(content), lower($4)) > 0)
)
and ($5::timestamptz is null or last_seen_at >= $5)
and ($6::timestamptz is null or last_seen_at < $6)
and ($7::boolean is null or is_remark = $7)
"""
ORDER = Order(
    SortKey("last_seen_at", "timestamptz", is_descending=True), SortKey("quarantine_id", "bigint", is_descending=True)
)
LIST = f"""
with matching as (select quarantine_id, last_seen_at from raw.quarantine where {CONDITIONS}),

{ORDER.pages("matching", limit="$9", offset="$10", place="$11")},

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
            'total', (select count(*) from matching), 'limit', $9::bigint, 'offset', $10::bigint,
            'next_cursor', following.cursor
        )
    ),
    following.cursor
from following
"""


# What else fits but for the search.
SEALED = f"""
select quarantine_id, content from raw.quarantine
where starts_with(content, '{MARK}') and {CONDITIONS}
"""


async def condition_arguments(
    connection: Any, settings: Settings, conditions: QuarantineConditions
) -> tuple[object, ...]:
    """The arguments of `CONDITIONS`. A search opens every sealed row that fits otherwise, 27 µs each."""
    arguments = _arguments(conditions)
    if conditions.search is None:
        return (*arguments, None)
    sealed = await connection.fetch(SEALED, *arguments[:3], None, *arguments[4:], None)
    return (*arguments, await ids_with(settings, sealed, conditions.search))


def _arguments(conditions: QuarantineConditions) -> tuple[object, ...]:
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

    def __init__(self, pool: asyncpg.Pool, settings: Settings) -> None:
        self._pool = pool
        self._settings = settings

    async def page(self, filters: QuarantineFilters) -> Page:
        """A page of `QuarantineList`.

        Raises:
            DatabaseUnavailableError: the server cannot be reached, or not in time.
        """

        async def read(connection: Any) -> Any:
            conditions = await condition_arguments(connection, self._settings, filters)
            return await connection.fetchrow(LIST, *conditions, filters.limit, filters.offset, place_of(filters))

        with known_to_postgres(filters.cursor):
            body, cursor = await with_app_tables(self._pool, read)
        return Page(await with_opened_rows(self._settings, body, "data"), cursor)
