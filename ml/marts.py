"""Reading from the marts, which may not be there yet."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING

import psycopg

from core.errors import TutorqError

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def marts_needed() -> Iterator[None]:
    """Say in plain words that the marts are not there. Raises TutorqError then."""
    try:
        yield
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise TutorqError("the marts have not been built yet; run `tutorq score` first") from error


def history_day(connection: psycopg.Connection) -> date | None:
    """The day that the histories of people are as of, None where there are none.

    Raises TutorqError if they have not been built.
    """
    with marts_needed():
        row = connection.execute("select max(as_of) from intermediate.int_tutors_now").fetchone()
    return row[0] if row else None


def read_frame(connection: psycopg.Connection, query: str, values: Sequence[object] = ()) -> "pd.DataFrame":
    """The rows of a query as Python objects, by column."""
    import pandas as pd

    with connection.cursor() as cursor:
        cursor.execute(query.encode(), list(values))
        names = [column.name for column in cursor.description or ()]
        return pd.DataFrame(cursor.fetchall(), columns=names)
