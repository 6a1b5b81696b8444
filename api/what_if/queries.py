"""SQL of what-ifs. Answers hold ids of tutors; names are looked up when they are read."""

from uuid import UUID

import asyncpg

from api.database import columns, with_app_tables
from api.problems import NotFoundError
from api.what_if.schemas import WhatIf

NO_WHAT_IF = "There is no what-if with this id; answers are kept for a week."
KNOWN = "select what_ifs.*, settings as changes from app.what_ifs where asked_at > now() - interval '7 days'"

LIST = f"""
select json_build_object('data', coalesce(json_agg(one order by one.asked_at desc), '[]'))
from (
    select {columns(WhatIf, "known")} from ({KNOWN}) as known
    order by known.asked_at desc
    limit 50
) as one
"""
# People of the marts may be gone, and nothing need be published any more.
ONE = f"""
select json_build_object('data', one)
from (
    select
        {columns(WhatIf, "known")},
        jsonb_set(known.result, '{{today,changes}}', coalesce(
            (
                select jsonb_agg(
                    change || jsonb_build_object('name', tutors.name, 'external_id', coalesce(
                        tutors.external_id, tutors.tutor_id::text
                    ))
                    order by place
                )
                from jsonb_array_elements(known.result #> '{{today,changes}}') with ordinality as listed (change, place)
                left join raw.tutors as tutors on tutors.tutor_id = (change ->> 'tutor_id')::uuid
            ),
            '[]'
        )) as result
    from ({KNOWN}) as known
    where known.what_if_id = $1
) as one
"""


class WhatIfQueries:
    """Reads `app.what_ifs`. Every method gives JSON as the schemas say.

    Raises (every method):
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def newest(self) -> bytes:
        """A `WhatIfList`."""
        body: bytes = await with_app_tables(self._pool, lambda connection: connection.fetchval(LIST))
        return body

    async def one(self, what_if_id: UUID) -> bytes:
        """A `WhatIfResponse`.

        Raises:
            NotFoundError: there is no such question.
        """
        body: bytes | None = await with_app_tables(self._pool, lambda connection: connection.fetchval(ONE, what_if_id))
        if body is None:
            raise NotFoundError(NO_WHAT_IF)
        return body
