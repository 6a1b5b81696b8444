"""Sheets of Excel files (.xlsx) as batches of text columns.

By calamine: 100,000 rows of 12 columns take 0.6 s and 100 MiB. The whole sheet is in memory, so large ones are refused.
"""

import re
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np
from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError

from core.errors import TutorqError
from ingest.batches import RawBatch
from ingest.grid import Grid
from ingest.headers import Header, Wanted, header_row
from ingest.notes import Notes
from ingest.spelling import normal

# Some 500,000 rows. Unpacked, because a small file may unpack to any size.
LARGEST_UNPACKED_BYTES = 300_000_000
# calamine keeps all cells from the first to the last used row and column, empty ones, too: some 40 bytes each.
LARGEST_CELLS = 20_000_000
BLOCK_BYTES = 1 << 20
BATCH_ROWS = 20_000
HEADER_IN_ROWS = 20
# Excel keeps 15 digits; of a longer number the rest is lost.
EXACT_NUMBER = 10**15

# Where a row or a cell stands, in the XML of a sheet.
_PLACE = re.compile(rb"""\sr=["']([A-Z]{0,3})([0-9]{1,7})["']""")
_LONGEST_PLACE = 20

# A cell as calamine tells it; an error such as #N/A is an empty text.
Cell = int | float | str | bool | time | date | datetime | timedelta


class ExcelReader:
    """A sheet of an Excel file: the one that is named like the entity, or the only one with its header.

    Raises:
        TutorqError: on opening, if the file as a whole cannot be read, or which sheet is meant is not clear.
    """

    def __init__(self, source: str, wanted: Wanted, content: Path, notes: Notes) -> None:
        self._source = source
        self.bytes_total = content.stat().st_size
        _check_size(source, content)
        try:
            with content.open("rb") as file:
                workbook = CalamineWorkbook.from_filelike(file)
                sheet = _sheet(source, workbook, wanted, notes)
        except PasswordError:
            raise TutorqError(f"{source} needs a password; save it without one") from None
        except (CalamineError, OSError) as error:
            raise TutorqError(f"{source} is not a complete Excel file; save it again as .xlsx or CSV") from error
        self._height = max(1, sheet.total_height)
        self._rows = sheet.iter_rows()
        top = list(map(_texts, islice(self._rows, HEADER_IN_ROWS)))
        if not any(any(row) for row in top):
            raise TutorqError(f"{source}: the sheet {sheet.name} is empty: not even a header")
        first = next(place for place, row in enumerate(top) if any(cell.strip() for cell in row))
        place = header_row(top, wanted)
        if place is not None and place > first:
            notes.add("guessed", "left out lines above the header", place - first)
        place = first if place is None else place
        self._top = top[place + 1 :]
        self._grid = Grid(source, top[place], wanted, notes, decimal=".")
        self._rows_done = place + 1

    @property
    def header(self) -> Header:
        return self._grid.header

    @property
    def bytes_done(self) -> int:
        return self.bytes_total * self._rows_done // self._height

    def close(self) -> None:
        """Nothing: the file is closed as soon as it is read."""

    def batches(self) -> Iterator[RawBatch]:
        rows = self._top
        while True:
            rows += map(_texts, islice(self._rows, max(0, BATCH_ROWS - len(rows))))
            if not rows:
                return
            lines = np.arange(self._rows_done + 1, self._rows_done + 1 + len(rows), dtype=np.int64)
            self._rows_done += len(rows)
            yield self._grid.batch(rows, lines, [])
            rows = []


def _check_size(source: str, content: Path) -> None:
    try:
        with zipfile.ZipFile(content) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
            if unpacked > LARGEST_UNPACKED_BYTES:
                raise TutorqError(f"{source} is too large for an Excel file; save it as CSV")
            for name in archive.namelist():
                if name.lower().startswith("xl/worksheets/") and name.lower().endswith(".xml"):
                    with archive.open(name) as sheet:
                        _check_extent(source, sheet)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise TutorqError(f"{source} is not a complete Excel file; save it again as .xlsx or CSV") from error


def _check_extent(source: str, sheet: IO[bytes]) -> None:
    """By its cells, because what a sheet says of its dimension need not be true.

    Raises:
        TutorqError: it would take too much memory.
    """
    height, width, rest = 0, 1, b""
    while block := sheet.read(BLOCK_BYTES):
        block = rest + block
        rest = block[-_LONGEST_PLACE:]
        places = _PLACE.findall(block)
        width = max(width, *map(_column_number, {column for column, _ in places}), 1)
        height = max(height, *map(int, {row for _, row in places}), 0)
        if height * width > LARGEST_CELLS:
            raise TutorqError(
                f"{source}: a sheet is used down to row {height:,} and over {width:,} columns, which is too much for "
                "an Excel file: delete cells far off the table, or save it as CSV"
            )


def _column_number(letters: bytes) -> int:
    """A is 1, AA is 27."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _sheet(source: str, workbook: CalamineWorkbook, wanted: Wanted, notes: Notes) -> CalamineSheet:
    names = workbook.sheet_names
    chosen = [name for name in names if normal(name) == wanted.name]
    if len(chosen) != 1:
        chosen = [name for name in names if _has_header(workbook.get_sheet_by_name(name), wanted)]
    if len(chosen) != 1 and len(names) == 1:
        chosen = names
    if len(chosen) != 1:
        found = "several sheets have" if chosen else "no sheet has"
        raise TutorqError(
            f"{source}: {found} the columns of {wanted.name}; name the right one {wanted.name}. "
            f"There are: {', '.join(names)}"
        )
    if len(names) > 1:
        notes.add("understood", f"read the sheet {chosen[0]}, one of {len(names)}")
    return workbook.get_sheet_by_name(chosen[0])


def _has_header(sheet: CalamineSheet, wanted: Wanted) -> bool:
    rows = list(map(_texts, islice(sheet.iter_rows(), HEADER_IN_ROWS)))
    return header_row(rows, wanted) is not None


def _texts(row: list[Cell]) -> list[str]:
    return [cell if isinstance(cell, str) else _text(cell) for cell in row]


def _text(cell: Cell) -> str:
    """As it would stand in a CSV file; times of Excel have no zone."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < EXACT_NUMBER else repr(cell)
    if isinstance(cell, datetime):
        # Excel counts in fractions of a day: 09:59:59.999996 was typed as 10:00.
        rounded = cell + timedelta(microseconds=500)
        return rounded.replace(microsecond=rounded.microsecond // 1000 * 1000).isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    return str(cell)
