"""Landing files as batches of text columns, in constant memory."""

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import TutorqError
from ingest.arrow import ArrowColumn, compute
from ingest.contract import Entity

BLOCK_BYTES = 2 << 20
LONGEST_LINE_BYTES = 16 << 20
PARQUET_BATCH_ROWS = 50_000

_GZIP_MAGIC = b"\x1f\x8b"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")

NOT_UTF8 = "is not valid UTF-8"
HAS_NUL = "contains a NUL character"


@dataclass(frozen=True)
class Reject:
    """A row that cannot be taken: where it stands, why, and the row as delivered."""

    line: int
    reason: str
    content: object


@dataclass(frozen=True)
class RawBatch:
    """Some rows of a file as text, before any check of their values.

    `columns` holds the known columns that the file has, `problems` what was found wrong while reading
    (by row), `rejects` what could not even be made a row, `delivered(i)` the i-th row for the quarantine.
    """

    lines: npt.NDArray[np.int64]
    columns: dict[str, ArrowColumn]
    delivered: Callable[[int], object]
    problems: dict[int, list[str]] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)


@dataclass(frozen=True)
class Header:
    """Where the known columns stand in a file, and the names of the others."""

    positions: dict[str, int]
    unknown: list[str]
    names: list[str]


def match_header(source: str, names: Sequence[str], entity: Entity) -> Header:
    """Match the column names of a file (any case, trimmed) with the contract.

    Raises:
        TutorqError: a required column is missing, or a name stands there twice.
    """
    normalized = [name.strip().lower() for name in names]
    known = {column.name for column in entity.columns}
    repeated = sorted({name for name in normalized if name and normalized.count(name) > 1})
    if repeated and not known.isdisjoint(normalized):
        # Other names are not repeated here: without a header they would be somebody's data.
        which = ", ".join(sorted(known.intersection(repeated))) or "a column"
        raise TutorqError(f"{source}: the header names {which} more than once")
    missing = [name for name in entity.required if name not in normalized]
    if missing:
        hint = ""
        if len(names) == 1 and (";" in names[0] or "\t" in names[0]):
            hint = "; the cells must be separated by commas"
        plural = "s" if len(missing) > 1 else ""
        raise TutorqError(f"{source}: required column{plural} missing: {', '.join(missing)}{hint}")
    return Header(
        positions={name: place for place, name in enumerate(normalized) if name in known},
        unknown=[name.strip() or "(no name)" for name in names if name.strip().lower() not in known],
        names=[name.strip() for name in names],
    )


class CsvReader:
    """A CSV file, plain or gzipped, by the standard library's `csv` (which keeps exact line numbers).

    Raises:
        TutorqError: on opening or later, if the file as a whole cannot be read; then nothing of it counts.
    """

    def __init__(self, path: Path, entity: Entity, content: Path) -> None:
        self._source = path.name
        self._path = path
        self._entity = entity
        self._file = _open(path, content)
        self.bytes_total = content.stat().st_size
        self._blocks = self._line_blocks()
        self._pending = next(self._blocks, [])
        if not self._pending:
            raise TutorqError(f"{self._source} is empty: not even a header")
        try:
            cells = csv.reader(self._pending, strict=True)
            names = next(cells)
        except csv.Error as error:
            raise TutorqError(f"{self._source}: the header cannot be read: {error}") from error
        self.header = match_header(self._source, names, entity)
        self._pending = self._pending[cells.line_num :]
        self._line = 1 + cells.line_num

    @property
    def bytes_done(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()

    def batches(self) -> Iterator[RawBatch]:
        lines = self._pending
        while True:
            following = next(self._blocks, None)
            batch, rest = self._batch(lines, is_last=following is None)
            yield batch
            if following is None:
                return
            lines = rest + following

    def _line_blocks(self) -> Iterator[list[str]]:
        """Whole lines, some megabytes at a time; bytes that are not UTF-8 become surrogates."""
        try:
            magic = self._file.read(2)
            self._file.seek(0)
            is_gzip = magic == _GZIP_MAGIC
            if self._path.name.lower().endswith(".gz") and magic and not is_gzip:
                raise TutorqError(f"{self._source} is not a gzip file")
            stream: IO[bytes] = gzip.GzipFile(fileobj=self._file) if is_gzip else self._file  # type: ignore[assignment]
            is_first = True
            while block := stream.read(BLOCK_BYTES):
                if is_first and block.startswith(_UTF16_MARKS):
                    raise TutorqError(f"{self._source} is UTF-16; save it as UTF-8")
                if not block.endswith(b"\n"):
                    tail = stream.readline(LONGEST_LINE_BYTES)
                    if len(tail) == LONGEST_LINE_BYTES:
                        raise TutorqError(f"{self._source} is not a CSV file: a line is longer than 16 MiB")
                    block += tail
                text = block.decode("utf-8-sig" if is_first else "utf-8", "surrogateescape")
                is_first = False
                yield io.StringIO(text, newline="").readlines()
        except EOFError as error:
            raise TutorqError(f"{self._source} is cut short: the gzip data ends too early") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise TutorqError(f"{self._source} is a damaged gzip file: {error}") from error
        except OSError as error:
            raise TutorqError(f"cannot read {self._source}: {error.strerror or error}") from error

    def _batch(self, lines: list[str], *, is_last: bool) -> tuple[RawBatch, list[str]]:
        """The rows of `lines`, and the lines of a last row that goes on in the next block."""
        rejects: list[Reject] = []
        first = self._line
        try:
            rows = list(csv.reader(lines, strict=True))
        except csv.Error:
            rows = []
        if len(rows) == len(lines):
            numbers = np.arange(first, first + len(rows), dtype=np.int64)
            used = len(lines)
        else:
            rows, starts, used = self._careful_rows(lines, rejects, is_last=is_last)
            numbers = np.array(starts, dtype=np.int64) + first
        self._line += used

        width = len(self.header.names)
        if any(length != width for length in set(map(len, rows))):
            fits = np.array([len(row) == width for row in rows])
            for place in np.flatnonzero(~fits):
                if row := rows[place]:  # a blank line is no row
                    reason = f"the row has {len(row)} cells, the header has {width}"
                    rejects.append(Reject(int(numbers[place]), reason, row))
            rows = [row for row in rows if len(row) == width]
            numbers = numbers[fits]

        cells = list(zip(*rows, strict=True)) or [()] * width
        problems: dict[int, list[str]] = {}
        columns = {name: text_array(cells[at], name, problems) for name, at in self.header.positions.items()}
        names = self.header.names
        batch = RawBatch(numbers, columns, lambda row: dict(zip(names, rows[row], strict=True)), problems, rejects)
        return batch, lines[used:]

    def _careful_rows(
        self, lines: list[str], rejects: list[Reject], *, is_last: bool
    ) -> tuple[list[list[str]], list[int], int]:
        """Rows one by one, for quoted line breaks and broken quotes.

        Only the line at which a broken row starts is given up: an opening quote without an end would
        otherwise swallow good rows up to the next quote.

        Returns:
            The rows, the offsets of their first lines, and how many lines were used.
        """
        width = len(self.header.names)
        rows: list[list[str]] = []
        starts: list[int] = []
        start = 0
        while start < len(lines):
            base = start
            reader = csv.reader(lines[base:], strict=True)
            for row in _until_error(reader):
                end = base + reader.line_num
                if isinstance(row, csv.Error):
                    if "end of data" in str(row) and not is_last:
                        return rows, starts, start
                    rejects.append(self._broken(lines, start, f"the line cannot be split into cells: {row}"))
                    start += 1
                    break
                if end > start + 1 and len(row) != width:
                    rejects.append(self._broken(lines, start, "the line has an opening quote without an end"))
                    start += 1
                    break
                rows.append(row)
                starts.append(start)
                start = end
        return rows, starts, len(lines)

    def _broken(self, lines: list[str], offset: int, reason: str) -> Reject:
        return Reject(self._line + offset, reason, lines[offset].rstrip("\r\n"))


class ParquetReader:
    """A Parquet file; its known columns are turned into text, so that one set of checks fits all files.

    Raises:
        TutorqError: on opening or later, if the file as a whole cannot be read; then nothing of it counts.
    """

    def __init__(self, path: Path, entity: Entity, content: Path) -> None:
        self._source = path.name
        self.bytes_total = content.stat().st_size
        if not self.bytes_total:
            raise TutorqError(f"{self._source} is empty")
        try:
            self._file = pq.ParquetFile(content, pre_buffer=False, buffer_size=1 << 20)
        except (pa.ArrowException, OSError) as error:
            raise TutorqError(f"{self._source} is not a complete Parquet file") from error
        self._names = list(self._file.schema_arrow.names)
        self.header = match_header(self._source, self._names, entity)
        self._rows_done = 0

    @property
    def bytes_done(self) -> int:
        return int(self.bytes_total * self._rows_done / max(1, self._file.metadata.num_rows))

    def close(self) -> None:
        self._file.close()

    def batches(self) -> Iterator[RawBatch]:
        wanted = {self._names[at]: name for name, at in self.header.positions.items()}
        try:
            for record_batch in self._file.iter_batches(PARQUET_BATCH_ROWS, columns=list(wanted), use_threads=False):
                yield self._batch(record_batch, wanted)
        except (pa.ArrowException, OSError) as error:
            raise TutorqError(f"{self._source} is a damaged Parquet file: {error}".splitlines()[0]) from error

    def _batch(self, record_batch: pa.RecordBatch, wanted: dict[str, str]) -> RawBatch:
        problems: dict[int, list[str]] = {}
        columns = {
            name: self._as_text(record_batch.column(original), name, problems) for original, name in wanted.items()
        }
        first = self._rows_done + 1
        self._rows_done += record_batch.num_rows
        return RawBatch(
            lines=np.arange(first, first + record_batch.num_rows, dtype=np.int64),
            columns=columns,
            delivered=lambda row: {name: column[row].as_py() for name, column in columns.items()},
            problems=problems,
        )

    def _as_text(self, column: ArrowColumn, name: str, problems: dict[int, list[str]]) -> ArrowColumn:
        if pa.types.is_dictionary(column.type):
            column = compute.cast(column, column.type.value_type)
        kind = column.type
        try:
            if pa.types.is_list(kind) or pa.types.is_large_list(kind):
                lists = compute.cast(column, pa.list_(pa.string())).to_pylist()
                joined = [None if items is None else ";".join(filter(None, items)) for items in lists]
                return text_array(joined, name, problems)
            if pa.types.is_timestamp(kind) and kind.tz is not None:
                column = column.cast(pa.timestamp(kind.unit, "UTC"))
            if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
                return _decoded(compute.cast(column, pa.binary()), name, problems)
            text = compute.cast(column, pa.string())
        except pa.ArrowException as error:
            raise TutorqError(f"{self._source}: column {name} is of type {kind}, which is no text") from error
        # Parquet only promises UTF-8; Arrow does not look.
        try:
            text.validate(full=True)
        except pa.ArrowInvalid:
            return _decoded(text.cast(pa.binary()), name, problems)
        return _without_nul(text, name, problems)


def open_reader(path: Path, entity: Entity, content: Path) -> CsvReader | ParquetReader:
    """The reader that fits the name of the file."""
    reader = ParquetReader if path.name.lower().endswith(".parquet") else CsvReader
    return reader(path, entity, content)


def _open(path: Path, content: Path) -> io.BufferedReader:
    try:
        return content.open("rb")
    except OSError as error:
        raise TutorqError(f"cannot read {path}: {error.strerror}") from error


def _until_error(reader: Any) -> Iterator[list[str] | csv.Error]:
    """Rows of a csv reader; an error comes as the last item."""
    try:
        yield from reader
    except csv.Error as error:
        yield error


def _decoded(column: ArrowColumn, name: str, problems: dict[int, list[str]]) -> ArrowColumn:
    values = [None if value is None else value.decode("utf-8", "surrogateescape") for value in column.to_pylist()]
    return text_array(values, name, problems)


def text_array(values: Sequence[str | None], name: str, problems: dict[int, list[str]]) -> ArrowColumn:
    """Texts to an Arrow column; values with bytes that are not UTF-8, or with NUL, are noted as problems."""
    try:
        texts = pa.array(values, pa.string())
    except UnicodeEncodeError:
        cleaned = []
        for row, value in enumerate(values):
            escaped = None if value is None else value.encode("utf-8", "backslashreplace").decode()
            if escaped != value:
                problems.setdefault(row, []).append(f"{name}: {NOT_UTF8}")
            cleaned.append(escaped)
        texts = pa.array(cleaned, pa.string())
    return _without_nul(texts, name, problems)


def _without_nul(texts: ArrowColumn, name: str, problems: dict[int, list[str]]) -> ArrowColumn:
    data = texts.buffers()[2]
    if data is None or b"\0" not in data.to_pybytes():
        return texts
    values = texts.to_pylist()
    for row, value in enumerate(values):
        if value is not None and "\0" in value:
            problems.setdefault(row, []).append(f"{name}: {HAS_NUL}")
            values[row] = value.replace("\0", "")
    return pa.array(values, pa.string())
