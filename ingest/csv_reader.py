"""CSV files, plain or gzipped, as batches of text columns, in constant memory."""

import codecs
import csv
import gc
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from core.errors import TutorqError
from ingest.batches import RawBatch, Reject
from ingest.encodings import SAVE_AS_UTF8, decode_cp1252, encoding_of
from ingest.form import Form
from ingest.grid import Grid
from ingest.headers import Header, Wanted
from ingest.notes import Notes
from ingest.sniffing import SNIFFED_BYTES, sniff

BLOCK_BYTES = 2 << 20
LONGEST_LINE_BYTES = 16 << 20

_GZIP_MAGIC = b"\x1f\x8b"
# Of these, a byte that ends a line is nothing else, and a block of bytes can be cut there.
_CUT_BY_BYTES = ("ascii", "utf-8", "cp1252")


class CsvReader:
    """A CSV file, split by the standard library's `csv` (which keeps exact line numbers).

    Args:
        form: how it is written; by default its first bytes tell.

    Raises:
        TutorqError: on opening or later, if the file as a whole cannot be read; then nothing of it counts.
    """

    def __init__(self, source: str, wanted: Wanted, content: Path, notes: Notes, form: Form | None = None) -> None:
        self._source = source
        self._notes = notes
        self._file = _open(source, content)
        self.bytes_total = content.stat().st_size
        stream = self._stream()
        self._form = form or self._sniffed(stream, wanted)
        self._is_given = form is not None
        # By its usual name: `UTF-8` and `utf8` are `utf-8`.
        self._encoding = codecs.lookup(self._form.encoding).name
        self._blocks = self._line_blocks(stream)
        self._pending = next(self._blocks, [])[self._form.header_line - 1 :]
        if not self._pending:
            raise TutorqError(f"{source} is empty: not even a header")
        try:
            rows = self._split(self._pending)
            names = next(rows)
        except csv.Error as error:
            raise TutorqError(f"{source}: the header cannot be read: {error}") from error
        self._grid = Grid(source, names, wanted, notes, decimal=self._form.decimal)
        self._pending = self._pending[rows.line_num :]
        self._line = self._form.header_line + rows.line_num

    @property
    def header(self) -> Header:
        return self._grid.header

    @property
    def encoding(self) -> str:
        """As far as it has been read: a file of ASCII may yet turn out to be another one."""
        return "utf-8" if self._encoding == "ascii" else self._encoding

    @property
    def bytes_done(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()

    def batches(self) -> Iterator[RawBatch]:
        lines = self._pending
        while True:
            following = next(self._blocks, None)
            with _uncollected():
                batch, rest = self._batch(lines, is_last=following is None)
            yield batch
            if following is None:
                return
            lines = rest + following

    def _stream(self) -> IO[bytes]:
        magic = self._file.read(2)
        self._file.seek(0)
        is_gzip = magic == _GZIP_MAGIC
        if self._source.lower().endswith(".gz") and magic and not is_gzip:
            raise TutorqError(f"{self._source} is not a gzip file")
        return gzip.GzipFile(fileobj=self._file) if is_gzip else self._file  # type: ignore[return-value]

    def _sniffed(self, stream: IO[bytes], wanted: Wanted) -> Form:
        with self._told():
            sample = stream.read(SNIFFED_BYTES)
            stream.seek(0)
        return sniff(self._source, sample, wanted, self._notes)

    def _line_blocks(self, stream: IO[bytes]) -> Iterator[list[str]]:
        """Whole lines, some megabytes at a time."""
        texts = self._decoded_by_bytes(stream) if self._encoding in _CUT_BY_BYTES else self._decoded_by_codec(stream)
        with self._told():
            for text in texts:
                yield io.StringIO(text, newline="").readlines()

    def _decoded_by_bytes(self, stream: IO[bytes]) -> Iterator[str]:
        """Bytes that are not UTF-8 in a file that is become surrogates."""
        is_first = True
        while block := stream.read(BLOCK_BYTES):
            if not block.endswith(b"\n"):
                block += self._of_one_line(stream.readline(LONGEST_LINE_BYTES))
            if self._encoding == "ascii":
                self._encoding = encoding_of(self._source, block, self._notes)
            if self._encoding == "cp1252":
                text = block.decode("cp1252") if self._is_given else decode_cp1252(self._source, block)
            else:
                text = block.decode("utf-8-sig" if is_first else "utf-8", "surrogateescape")
            is_first = False
            yield text

    def _decoded_by_codec(self, stream: IO[bytes]) -> Iterator[str]:
        reader = io.TextIOWrapper(stream, self._encoding, newline="")
        try:
            while text := reader.read(BLOCK_BYTES):
                if not text.endswith("\n"):
                    text += self._of_one_line(reader.readline(LONGEST_LINE_BYTES))
                yield text
        finally:
            # At its end it would close the file, whose position is still asked for.
            if not self._file.closed:
                reader.detach()

    def _of_one_line(self, rest: Any) -> Any:
        if len(rest) == LONGEST_LINE_BYTES:
            raise TutorqError(f"{self._source} is not a CSV file: a line is longer than 16 MiB")
        return rest

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What goes wrong while the file is read, in words."""
        try:
            yield
        except EOFError as error:
            raise TutorqError(f"{self._source} is cut short: the gzip data ends too early") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise TutorqError(f"{self._source} is a damaged gzip file: {error}") from error
        except UnicodeError as error:
            raise TutorqError(f"{self._source} is not all {self._encoding.upper()}; {SAVE_AS_UTF8}") from error
        except OSError as error:
            raise TutorqError(f"cannot read {self._source}: {error.strerror or error}") from error

    def _split(self, lines: list[str]) -> Any:
        return csv.reader(lines, delimiter=self._form.delimiter, strict=True)

    def _batch(self, lines: list[str], *, is_last: bool) -> tuple[RawBatch, list[str]]:
        """The rows of `lines`, and the lines of a last row that goes on in the next block."""
        rejects: list[Reject] = []
        first = self._line
        try:
            rows = list(self._split(lines))
        except csv.Error:
            rows = []
        if len(rows) == len(lines):
            numbers = np.arange(first, first + len(rows), dtype=np.int64)
            used = len(lines)
        else:
            rows, starts, used = self._careful_rows(lines, rejects, is_last=is_last)
            numbers = np.array(starts, dtype=np.int64) + first
        self._line += used
        return self._grid.batch(rows, numbers, rejects), lines[used:]

    def _careful_rows(
        self, lines: list[str], rejects: list[Reject], *, is_last: bool
    ) -> tuple[list[list[str]], list[int], int]:
        """Rows one by one, for quoted line breaks and broken quotes.

        Only the line at which a broken row starts is given up: an opening quote without an end would
        otherwise swallow good rows up to the next quote.

        Returns:
            The rows, the offsets of their first lines, and how many lines were used.
        """
        width = self._grid.width
        rows: list[list[str]] = []
        starts: list[int] = []
        start = 0
        while start < len(lines):
            base = start
            reader = self._split(lines[base:])
            for row in _until_error(reader):
                end = base + reader.line_num
                if isinstance(row, csv.Error):
                    if "end of data" in str(row) and not is_last:
                        return rows, starts, start
                    rejects.append(self._broken(lines, start, f"the line cannot be split into cells: {row}"))
                    start += 1
                    break
                if end > start + 1 and (len(row) < self._grid.named_width or any(map(str.strip, row[width:]))):
                    rejects.append(self._broken(lines, start, "the line has an opening quote without an end"))
                    start += 1
                    break
                rows.append(row)
                starts.append(start)
                start = end
        return rows, starts, len(lines)

    def _broken(self, lines: list[str], offset: int, reason: str) -> Reject:
        return Reject(self._line + offset, reason, lines[offset].rstrip("\r\n"))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector, which would look at all lists of cells again and again: a fifth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _open(source: str, content: Path) -> io.BufferedReader:
    try:
        return content.open("rb")
    except OSError as error:
        raise TutorqError(f"cannot read {source}: {error.strerror}") from error


def _until_error(reader: Any) -> Iterator[list[str] | csv.Error]:
    """Rows of a csv reader; an error comes as the last item."""
    try:
        yield from reader
    except csv.Error as error:
        yield error
