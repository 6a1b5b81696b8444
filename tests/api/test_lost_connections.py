"""A connection of a pool that is lost in a transaction: there is nothing to roll back, and the first error is told."""

import asyncio

from api.database import is_in_transaction, open_pool
from tests.api.conftest import Served


def test_a_lost_connection_is_in_no_transaction(intake: Served) -> None:
    async def main() -> None:
        async with open_pool(intake.database.url) as pool, pool.acquire() as connection:
            assert not is_in_transaction(connection)
            await connection.execute("begin")
            assert is_in_transaction(connection)
            connection.terminate()
            assert not is_in_transaction(connection)

    asyncio.run(main())
