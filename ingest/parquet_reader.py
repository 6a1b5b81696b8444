"""Parquet files, and folders of such files, as batches of text columns: one set of checks fits all files."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from urllib.parse import unquote
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import TutorqError
from ingest.arrow import ArrowColumn, compute
from ingest.batches import RawBatch, text_array, without_nul
from ingest.contract import Column, Kind
from ingest.headers import Header, Wanted
from ingest.notes import Notes
from ingest.parts import Parts

PARQUET_BATCH_ROWS = 50_000
# Greater whole numbers are not exact as floating-point numbers.
LARGEST_WHOLE_NUMBER = 2**53

_UUID_BYTES = 16
# How Hive and Spark name the folder of an empty value.
_NO_PARTITION = "__HIVE_DEFAULT_PARTITION__"


class ParquetReader:
    """A Parquet file, or the parts of a folder one after the other.

    Raises:
        TutorqError: on opening or later, if the file as a whole cannot be read; then nothing of it counts.
    """

    def __init__(self, source: str, wanted: Wanted, content: Path | Parts, notes: Notes) -> None:
        self._source = source
        self._wanted = wanted
        self._notes = notes
        self._content = content
        self._names: list[str] = content.names if isinstance(content, Parts) else [""]
        self.bytes_total = content.bytes if isinstance(content, Parts) else content.stat().st_size
        self._bytes_before = 0
        self._rows_before = 0
        self._rows_done = 0
        self._open(0)
        self.header: Header = self._part_header

    @property
    def bytes_done(self) -> int:
        rows = max(1, self._file.metadata.num_rows)
        return self._bytes_before + int(self._bytes * (self._rows_done - self._rows_before) / rows)

    def close(self) -> None:
        self._opened.close()

    def batches(self) -> Iterator[RawBatch]:
        for place in range(len(self._names)):
            if place:
                self._bytes_before += self._bytes
                self._rows_before = self._rows_done
                self.close()
                self._open(place)
                if self._part_header.positions.keys() != self.header.positions.keys():
                    raise TutorqError(f"{self._source}: its parts do not have the same columns")
            yield from self._batches_of_part()

    def _open(self, place: int) -> None:
        """Open one part: its file, its header, and the values that its folders tell (`year=2026`)."""
        name = self._names[place]
        called = f"{self._source}/{name}".rstrip("/")
        self._opened = ExitStack()
        path = self._content
        if isinstance(path, Parts):
            path = self._opened.enter_context(path.opened(name))
        self._bytes = path.stat().st_size
        if not self._bytes:
            raise TutorqError(f"{called} is empty")
        try:
            self._file = pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)
        except (pa.ArrowException, OSError) as error:
            raise TutorqError(f"{called} is not a complete Parquet file") from error
        self._opened.callback(self._file.close)
        self._columns = list(self._file.schema_arrow.names)
        keys = (folder.partition("=") for folder in PurePosixPath(name).parts[:-1])
        self._partition = {key: unquote(value) for key, is_one, value in keys if is_one and key not in self._columns}
        self._part_header = self._wanted.header(called, [*self._columns, *self._partition])

    def _batches_of_part(self) -> Iterator[RawBatch]:
        in_file = [at for at in self._part_header.positions.values() if at < len(self._columns)]
        wanted: list[str] | None = [self._columns[at] for at in in_file]
        # Arrow takes a name with a dot for a path into a nested column.
        if any("." in name for name in wanted or []):
            wanted = None
        try:
            for record_batch in self._file.iter_batches(PARQUET_BATCH_ROWS, columns=wanted, use_threads=False):
                yield self._batch(record_batch)
        except (pa.ArrowException, OSError) as error:
            raise TutorqError(f"{self._source} is a damaged Parquet file: {error}".splitlines()[0]) from error

    def _batch(self, record_batch: pa.RecordBatch) -> RawBatch:
        problems: dict[int, list[str]] = {}
        columns: dict[str, ArrowColumn] = {}
        places = {name: at for at, name in enumerate(record_batch.schema.names)}
        for name, at in self._part_header.positions.items():
            if at < len(self._columns):
                values = record_batch.column(places[self._columns[at]])
                columns[name] = self._as_text(values, self._wanted.column(name), problems)
            else:
                value = list(self._partition.values())[at - len(self._columns)]
                constant = pa.scalar(None if value == _NO_PARTITION else value, pa.string())
                columns[name] = pa.repeat(constant, record_batch.num_rows)
        first = self._rows_done + 1
        self._rows_done += record_batch.num_rows
        return RawBatch(
            lines=np.arange(first, first + record_batch.num_rows, dtype=np.int64),
            columns=columns,
            delivered=lambda row: {name: column[row].as_py() for name, column in columns.items()},
            problems=problems,
        )

    def _as_text(self, values: ArrowColumn, column: Column, problems: dict[int, list[str]]) -> ArrowColumn:
        """The values as they would stand in a CSV file."""
        if isinstance(values, pa.ExtensionArray):
            values = values.storage
        if isinstance(values, pa.DictionaryArray):
            values = values.dictionary_decode()
        kind = values.type
        try:
            if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
                lists = compute.cast(values, pa.list_(pa.string())).to_pylist()
                joined = [None if items is None else ";".join(filter(None, items)) for items in lists]
                return text_array(joined, column.name, problems)
            if pa.types.is_timestamp(kind):
                values = _day_or_utc(values, column)
            if pa.types.is_floating(kind):
                return _float_texts(values)
            if pa.types.is_decimal(kind) and column.kind is Kind.ID:
                values = compute.replace_substring_regex(compute.cast(values, pa.string()), r"\.0*$", "")
            if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
                return self._bytes_texts(compute.cast(values, pa.binary()), column, problems)
            text = compute.cast(values, pa.string())
        except pa.ArrowException as error:
            raise TutorqError(f"{self._source}: column {column.name} is of type {kind}, which is no text") from error
        # Parquet only promises UTF-8; Arrow does not look.
        try:
            text.validate(full=True)
        except pa.ArrowInvalid:
            return _decoded(text.cast(pa.binary()), column.name, problems)
        return without_nul(text, column.name, problems)

    def _bytes_texts(self, values: ArrowColumn, column: Column, problems: dict[int, list[str]]) -> ArrowColumn:
        """UTF-8 texts; ids of 16 bytes that are no texts are UUIDs."""
        if column.kind is Kind.ID:
            originals = values.to_pylist()
            found = [value for value in originals if value is not None]
            if all(len(value) == _UUID_BYTES for value in found) and not all(map(_is_printable, found)):
                self._notes.add("understood", f"{column.name}: UUIDs of 16 bytes", len(found))
                return pa.array([None if value is None else str(UUID(bytes=value)) for value in originals], pa.string())
        return _decoded(values, column.name, problems)


def _day_or_utc(values: ArrowColumn, column: Column) -> ArrowColumn:
    """Times with a zone in UTC; for a column of dates, the day that it was in this zone."""
    kind = values.type
    if column.kind is Kind.DATE:
        wall = values if kind.tz is None else compute.local_timestamp(values)
        day: ArrowColumn = compute.cast(wall, pa.date32(), safe=False)
        return day
    return values if kind.tz is None else values.cast(pa.timestamp(kind.unit, "UTC"))


def _float_texts(values: ArrowColumn) -> ArrowColumn:
    """NaN is empty, as pandas means it; whole numbers have no point."""
    values = values.cast(pa.float64())
    values = compute.if_else(compute.is_nan(values), None, values)
    is_whole = compute.and_(
        compute.equal(compute.trunc(values), values), compute.less(compute.abs(values), LARGEST_WHOLE_NUMBER)
    )
    whole = compute.cast(compute.if_else(is_whole, values, None), pa.int64())
    texts: ArrowColumn = compute.coalesce(compute.cast(whole, pa.string()), compute.cast(values, pa.string()))
    return texts


def _is_printable(value: bytes) -> bool:
    return value.isascii() and value.decode("ascii").isprintable()


def _decoded(column: ArrowColumn, name: str, problems: dict[int, list[str]]) -> ArrowColumn:
    values = [None if value is None else value.decode("utf-8", "surrogateescape") for value in column.to_pylist()]
    return text_array(values, name, problems)
