"""Lists as files: every row that fits the filters, as CSV or Parquet.

`format=` of a list asks for one. Pages of the list are read one after the other by their cursors and written as they
come, so memory holds one page whatever the list's length, and no connection is held for a slow reader. Rows that change
meanwhile are in the file once, as they were when their page was read.

A file has the columns of the JSON. Objects are taken apart (`tutor.name`); lists of texts or numbers are joined by `; `
in CSV, and are lists in Parquet; lists of objects are JSON.
"""

import asyncio
import csv
import io
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, TypeVar, Union, get_args, get_origin
from uuid import UUID

from fastapi import Request
from pydantic import AwareDatetime, BaseModel
from pydantic_core import from_json
from starlette.responses import Response, StreamingResponse

from api.audit_writer import AuditWriter
from api.bodies import invalid
from api.caching import answer, answer_by_content
from api.callers import AnyCaller
from api.database import Marts, Statement
from api.limits import ActionLimit
from api.paging import PAGE_FIELDS, Page, PageFilters
from api.problems import FieldError, NotFoundError
from core.audit import Action, Entry

if TYPE_CHECKING:
    import pyarrow

# 200,000 mails by pages of 1,000: 35 s, mostly for finding the place 200 times, and 5 MB of memory (CSV). A row of the
# tutors' list takes ten times as much as a mail.
PAGE_ROWS = 2000
MEDIA_TYPES = {"csv": "text/csv; charset=utf-8; header=present", "parquet": "application/vnd.apache.parquet"}
# A spreadsheet would run a text that begins like this as a formula.
FORMULA = re.compile(r"[=+\-@\t\r]")

Filters = TypeVar("Filters", bound=PageFilters)


class Kind(StrEnum):
    """What a column holds, as Parquet tells it apart."""

    TEXT = "text"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    DAY = "day"
    MOMENT = "moment"
    TEXTS = "texts"
    NUMBERS = "numbers"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a file: where in a row of JSON its value is."""

    path: tuple[str, ...]
    kind: Kind

    @property
    def name(self) -> str:
        return ".".join(self.path)

    def of(self, row: Mapping[str, Any]) -> Any:
        """The value, or null if it or the object around it is null."""
        value: Any = row
        for name in self.path:
            if value is None:
                return None
            value = value[name]
        return value


def columns_of(model: type[BaseModel], *path: str) -> Iterator[Column]:
    """The columns of a file with rows of this model, in the order of its fields."""
    for name, field in model.model_fields.items():
        inner = _bare(field.annotation)
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from columns_of(inner, *path, name)
        else:
            yield Column((*path, name), _kind(inner))


def _bare(annotation: Any) -> Any:
    """A type without its limits, and without null."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, UnionType):
        options = [each for each in get_args(annotation) if each is not NoneType]
        return _bare(options[0]) if len(options) == 1 else annotation
    return annotation


SCALARS: Mapping[Any, Kind] = {
    str: Kind.TEXT,
    UUID: Kind.TEXT,
    bool: Kind.BOOLEAN,
    int: Kind.INTEGER,
    float: Kind.NUMBER,
    date: Kind.DAY,
    datetime: Kind.MOMENT,
    AwareDatetime: Kind.MOMENT,
}


def _kind(annotation: Any) -> Kind:
    if annotation in SCALARS:
        return SCALARS[annotation]
    if get_origin(annotation) is Literal or (isinstance(annotation, type) and issubclass(annotation, StrEnum)):
        return Kind.TEXT
    if get_origin(annotation) is list:
        inner = _kind(_bare(get_args(annotation)[0]))
        if inner is Kind.TEXT:
            return Kind.TEXTS
        if inner in (Kind.INTEGER, Kind.NUMBER):
            return Kind.NUMBERS
    return Kind.JSON


class Writer(Protocol):
    """Makes a file in pieces."""

    def rows(self, rows: Sequence[Mapping[str, Any]]) -> bytes:
        """What comes next with these rows; the head, too, if they are the first ones, which may be none."""

    def end(self) -> bytes:
        """What comes last."""


class CsvWriter:
    """RFC 4180 in UTF-8, with the mark that Excel needs to see it."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._head: list[list[str]] = [[column.name for column in columns]]

    def rows(self, rows: Sequence[Mapping[str, Any]]) -> bytes:
        text = io.StringIO("\ufeff" if self._head else "", newline="")
        text.seek(0, io.SEEK_END)
        writer = csv.writer(text)
        writer.writerows(self._head)
        self._head = []
        writer.writerows([_cell(column.of(row)) for column in self._columns] for row in rows)
        return text.getvalue().encode()

    def end(self) -> bytes:
        return b""


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list) and not any(isinstance(each, (dict, list)) for each in value):
        return _safe("; ".join(_cell(each) for each in value))
    if isinstance(value, str):
        return _safe(value)
    return json.dumps(value, ensure_ascii=False)


def _safe(text: str) -> str:
    return f"'{text}" if FORMULA.match(text) else text


class ParquetWriter:
    """Parquet with a group of rows for each page."""

    def __init__(self, columns: Sequence[Column]) -> None:
        # Takes long to import, and most processes never need it.
        import pyarrow
        from pyarrow import parquet

        self._columns = columns
        types: dict[Kind, pyarrow.DataType] = {
            Kind.TEXT: pyarrow.string(),
            Kind.BOOLEAN: pyarrow.bool_(),
            Kind.INTEGER: pyarrow.int64(),
            Kind.NUMBER: pyarrow.float64(),
            Kind.DAY: pyarrow.date32(),
            Kind.MOMENT: pyarrow.timestamp("us", tz="UTC"),
            Kind.TEXTS: pyarrow.list_(pyarrow.string()),
            Kind.NUMBERS: pyarrow.list_(pyarrow.float64()),
            Kind.JSON: pyarrow.string(),
        }
        self._schema = pyarrow.schema([(column.name, types[column.kind]) for column in columns])
        self._written = _Written()
        self._writer = parquet.ParquetWriter(pyarrow.PythonFile(self._written, mode="w"), self._schema)

    def rows(self, rows: Sequence[Mapping[str, Any]]) -> bytes:
        import pyarrow

        if rows:
            arrays = [self._array(column, [column.of(row) for row in rows]) for column in self._columns]
            self._writer.write_table(pyarrow.Table.from_arrays(arrays, schema=self._schema))
        return self._written.taken()

    def end(self) -> bytes:
        self._writer.close()
        return self._written.taken()

    def _array(self, column: Column, values: list[Any]) -> "pyarrow.Array[Any]":
        import pyarrow

        wanted = self._schema.field(column.name).type
        if column.kind in (Kind.DAY, Kind.MOMENT):
            return pyarrow.array(values, pyarrow.string()).cast(wanted)
        if column.kind is Kind.JSON:
            values = [None if value is None else json.dumps(value, ensure_ascii=False) for value in values]
        array: pyarrow.Array[Any] = pyarrow.array(values, wanted)
        return array


class _Written(io.RawIOBase):
    """A file to write to, of which what has been written is taken away."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, part: Any) -> int:
        self._parts.append(bytes(part))
        self._size += len(self._parts[-1])
        return len(self._parts[-1])

    def tell(self) -> int:
        return self._size

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


WRITERS: Mapping[str, Callable[[Sequence[Column]], Writer]] = {"csv": CsvWriter, "parquet": ParquetWriter}


async def export(
    request: Request,
    caller: AnyCaller,
    name: str,
    model: type[BaseModel],
    filters: Filters,
    read: Callable[[Filters], Awaitable[Page]],
) -> Response:
    """The list as a file, in the format that the filters say. `name` is that of the file and in the audit log, which is
    told before anything is sent; `model` is a row; `read` gives one page.

    Raises:
        InvalidRequestError: a page was asked for, too.
        TooManyRequestsError: the caller has exported too often.
        ApiError: the first page cannot be read. If a later one cannot, the connection is cut: a file that ends early is
            not taken for a whole one.
    """
    if given := sorted(filters.model_fields_set & PAGE_FIELDS):
        message = "Leave it out: a file has every row that fits the filters"
        raise invalid([FieldError(field=each, message=message) for each in given])
    limit: ActionLimit = request.state.export_limit
    audit: AuditWriter = request.state.audit_writer
    await limit.spend(caller.actor)
    part = filters.model_copy(update={"limit": PAGE_ROWS})
    first = await read(part)
    meta = (await asyncio.to_thread(from_json, first.body))["meta"]
    told = {"rows": meta["total"], "format": filters.format}
    await audit.record(Entry(caller.actor, Action.EXPORT, "export", name, told))
    columns = list(columns_of(model))

    async def pages() -> AsyncIterator[bytes]:
        writer = await asyncio.to_thread(WRITERS[filters.format], columns)
        page = first
        while True:
            yield await asyncio.to_thread(_written, writer, page.body)
            if page.next_cursor is None:
                break
            page = await read(part.model_copy(update={"cursor": page.next_cursor}))
        yield await asyncio.to_thread(writer.end)

    day = meta.get("as_of") or datetime.now(UTC).date().isoformat()
    headers = {
        "Content-Disposition": f'attachment; filename="{name}-{day}.{filters.format}"',
        "Cache-Control": "private, no-store",
    }
    return StreamingResponse(pages(), headers=headers, media_type=MEDIA_TYPES[filters.format])


def _written(writer: Writer, body: bytes) -> bytes:
    return writer.rows(from_json(body)["data"])


async def answer_list(
    request: Request,
    caller: AnyCaller,
    name: str,
    model: type[BaseModel],
    filters: Filters,
    query: Callable[[Filters], Statement],
) -> Response:
    """A page of a list of what is published, or the list as a file."""
    if filters.format == "json":
        return await answer(request, query(filters))
    marts: Marts = request.state.marts

    async def read(part: Filters) -> Page:
        statement = query(part)
        found = await marts.read_published(statement)
        if found.body is None:
            raise NotFoundError(statement.missing)
        return Page(found.body, found.next_cursor)

    return await export(request, caller, name, model, filters, read)


async def answer_pages(
    request: Request,
    caller: AnyCaller,
    name: str,
    model: type[BaseModel],
    filters: Filters,
    read: Callable[[Filters], Awaitable[Page]],
) -> Response:
    """The same of a list that changes beside the publication."""
    if filters.format == "json":
        page = await read(filters)
        return answer_by_content(request, page.body, page.next_cursor)
    return await export(request, caller, name, model, filters, read)
