"""A shadow has an end of its time, which holds for all its statements together."""

import time

import pytest

from core.database import Database
from core.errors import TutorqError
from what_if.shadow import Plan, Shadow

NOTHING = Plan(functions=(), models=(), analyses={}, variables={}, names=frozenset())


def test_what_is_not_done_by_the_end_of_the_time_is_ended(database: Database) -> None:
    with database.connect() as connection:
        shadow = Shadow(connection, NOTHING, until=time.monotonic() + 3600)
        assert shadow.execute("select 1").fetchone() == (1,)
    with database.connect() as connection:
        # However long one statement may take, the time is over.
        shadow = Shadow(connection, NOTHING, until=time.monotonic())
        with pytest.raises(TutorqError, match="longer than 10 minutes"):
            shadow.execute("select pg_sleep(60)")
