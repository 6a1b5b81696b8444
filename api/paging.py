"""Pages of a list: by `offset`, or from a `cursor`, which stays where it is while rows come and go.

A cursor names the last row of a page by what the list is sorted by (a keyset), and the list by a digest of its filters.
It is no secret and not signed: it says no more than the page it stands on, and what it says is data to the query.
"""

import hashlib
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

import asyncpg
from fastapi import Request
from pydantic import BaseModel, Field, StringConstraints
from pydantic_core import from_json

from api.problems import FieldError, InvalidRequestError

# A name of 500 characters and two ids, in base64.
LONGEST_CURSOR = 4000
Cursor = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_CURSOR, pattern=r"^[A-Za-z0-9_-]+$")]
# Beside the filters.
PAGE_FIELDS = {"limit", "offset", "cursor"}

LINKED: dict[int | str, dict[str, Any]] = {
    200: {
        "headers": {
            "Link": {
                "description": 'The next page: `</api/…?cursor=…>; rel="next"`; absent on the last one.',
                "schema": {"type": "string"},
            }
        }
    }
}


class PageFilters(BaseModel, extra="forbid"):
    """Which page of a list."""

    limit: int = Field(default=50, ge=1, le=500)
    offset: int = Field(default=0, ge=0, le=10_000_000)
    cursor: Cursor | None = Field(
        default=None,
        description="`next_cursor` of the page before, with the same filters and order. Replaces `offset`.",
    )
    format: Literal["json", "csv", "parquet"] = Field(
        default="json",
        description=(
            "`csv` (text/csv) and `parquet` (application/vnd.apache.parquet) return a file with every row "
            "that matches the filters, without `limit`, `offset` and `cursor`."
        ),
    )


class PagePlace(BaseModel):
    """Position of a page in a list."""

    total: int = Field(description="Number of matching rows on all pages.", examples=[3000])
    limit: int = Field(description="Maximum number of rows on a page.", examples=[50])
    offset: int = Field(description="Number of rows before this page; 0 with a cursor.", examples=[0])
    next_cursor: str | None = Field(
        description="`cursor` of the next page; null on the last one.", examples=["WyJhYmMiLCIwLjkiXQ"]
    )


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list as JSON, and the cursor of the next one."""

    body: bytes
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class SortKey:
    """A column by which a list is sorted, null last, and its type in SQL."""

    column: str
    type: str
    is_descending: bool = False


class Order:
    """By what a list is sorted: the last key has a value of its own in each row, and is never null.

    In SQL, the columns are those of a table `page`.
    """

    def __init__(self, *keys: SortKey) -> None:
        self._keys = keys

    @property
    def sql(self) -> str:
        """What stands after `order by`."""
        return ", ".join(f"page.{key.column} {'desc' if key.is_descending else 'asc'} nulls last" for key in self._keys)

    def pages(self, source: str, *, limit: str, offset: str, place: str, is_first: bool = False) -> str:
        """SQL of three common tables: `page` has the rows of one page of `source`, and `following` has one row with
        the `cursor` of the next page, or null. The others are parameters; `place` is what `place_of` gives.

        What is said to be the first page always, whatever the parameters, is read in the order of an index if there is
        one; and if `limit` is a number, by one plan for all requests.
        """
        if is_first:
            where, skip = "", ""
        else:
            where = f"where cardinality({place}::text[]) = 1 or {self._after(place)}"
            skip = f"offset {offset}::bigint"
        return f"""
paged as (
    select * from {source} as page
    {where}
    order by {self.sql}
    limit {limit}::bigint + 1 {skip}
),

page as (
    select * from paged as page order by {self.sql} limit {limit}::bigint
),

following as materialized (
    select
        case
            when (select count(*) from paged) > {limit}::bigint then (
                select {self._cursor(place)}
                from (select * from paged as page order by {self.sql} limit 1 offset {limit}::bigint - 1) as page
            )
        end as cursor
)"""

    def _after(self, place: str) -> str:
        """Whether a row comes after the place: it does so by one key, and is equal in those before."""
        ways = []
        equal: list[str] = []
        for number, key in enumerate(self._keys):
            # The first is the digest, and arrays begin with 1.
            value = f"({place}::text[])[{number + 2}]::{key.type}"
            column = f"page.{key.column}"
            beyond = f"({column} {'<' if key.is_descending else '>'} {value} or {column} is null)"
            ways.append(" and ".join([*equal, f"{value} is not null", beyond]))
            equal.append(f"{column} is not distinct from {value}")
        return f"({' or '.join(f'({way})' for way in ways)})"

    def _cursor(self, place: str) -> str:
        # By way of the type: as text, a real of single precision is another number than in comparisons with doubles.
        values = ", ".join(f"page.{key.column}::{key.type}::text" for key in self._keys)
        text = f"json_build_array(({place}::text[])[1], {values})::text"
        # Base64 as in addresses, without the line breaks that Postgres puts in.
        return f"translate(encode(convert_to({text}, 'UTF8'), 'base64'), '+/=' || chr(10), '-_')"


def place_of(filters: PageFilters, *address: object) -> list[str | None]:
    """Where a page begins, as the parameter of `Order.pages`. `address` says whose list it is, if there are several.

    Raises:
        InvalidRequestError: the cursor is none, or one of another list; or there is an offset, too.
    """
    asked = (type(filters).__qualname__, *map(str, address), filters.model_dump_json(exclude={*PAGE_FIELDS, "format"}))
    digest = hashlib.blake2b("\0".join(asked).encode(), digest_size=9).hexdigest()
    if filters.cursor is None:
        return [digest]
    if filters.offset:
        raise _unusable("Send either cursor or offset")
    try:
        found = from_json(urlsafe_b64decode(filters.cursor + "=" * (-len(filters.cursor) % 4)))
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(each is None or isinstance(each, str) for each in found):
        raise _unusable(NO_CURSOR)
    if found[:1] != [digest] or len(found) == 1:
        raise _unusable("The cursor is of a list with other filters or in another order; begin without a cursor")
    return found


NO_CURSOR = "This is no cursor; begin without one"


@contextmanager
def known_to_postgres(cursor: str | None) -> Iterator[None]:
    """
    Raises:
        InvalidRequestError: the cursor holds what the columns do not: somebody has written it by hand.
    """
    try:
        yield
    except asyncpg.DataError as error:
        if cursor is None:
            raise
        raise _unusable(NO_CURSOR) from error


def next_page(request: Request, cursor: str | None) -> dict[str, str]:
    """The header that links to the next page, if there is one. Relative: a proxy may have another name."""
    if cursor is None:
        return {}
    query = [(name, value) for name, value in request.query_params.multi_items() if name not in ("cursor", "offset")]
    # Unescaped, but for `%2F` and `%25` (`api.paths`).
    path = quote(request.scope["path"], safe="/%")
    return {"Link": f'<{path}?{urlencode([*query, ("cursor", cursor)])}>; rel="next"'}


def _unusable(message: str) -> InvalidRequestError:
    return InvalidRequestError("Not valid: cursor.", errors=[FieldError(field="cursor", message=message)])
