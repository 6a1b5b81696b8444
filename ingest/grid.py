"""Rows of cells, of a CSV file or a sheet, as batches: what does not matter about their shape is settled here."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ingest.arrow import ArrowColumn, compute
from ingest.batches import RawBatch, Reject, text_array
from ingest.contract import Kind
from ingest.headers import NO_NAME, Header, Wanted
from ingest.notes import SHOWN_EXAMPLES, Notes
from ingest.spelling import normal

# Three digits after a comma may be thousands.
_DECIMAL_COMMA = r"^\s*[+-]?\d+,(?:\d{1,2}|\d{4,})\s*$"
# A file of DOS ends with ^Z.
_BLANK = " \t\r\n\x1a\xa0"
# Names of columns that are compared letter by letter, which takes time.
_LONGEST_NAME = 60


class Grid:
    """Makes batches of the rows below one header.

    Raises:
        TutorqError: as `Wanted.header`.
    """

    def __init__(self, source: str, names: Sequence[str], wanted: Wanted, notes: Notes, *, decimal: str) -> None:
        self.header: Header = wanted.header(source, names)
        self._names = list(names)
        self._notes = notes
        self._key = self.header.required[0]
        self._last_required = max(self.header.required)
        # Where a header that comes again is looked for: few distinct words stand there, if the file has such a column.
        are_words = (place for name, place in self.header.positions.items() if _is_word(wanted, name))
        self._probe = next((place for place in are_words if place in self.header.required), self._key)
        self._probed = normal(names[self._probe])
        self._numbers = [
            name
            for name in self.header.positions
            if decimal == "," and wanted.column(name).kind in (Kind.INTEGER, Kind.NUMBER)
        ]
        # An empty name at the end is no column, unless something stands below it.
        self._unnamed = list(range(_named(names), len(names)))
        for _ in self._unnamed:
            self.header.unknown.remove(NO_NAME)

    @property
    def width(self) -> int:
        return len(self._names)

    @property
    def named_width(self) -> int:
        """Without the columns at the end that have no name."""
        return len(self._names) - len(self._unnamed)

    def batch(self, rows: list[list[str]], lines: npt.NDArray[np.int64], rejects: list[Reject]) -> RawBatch:
        """Rows and the lines on which they start; blank ones and repeated headers are no rows."""
        width = self.width
        if any(length != width for length in set(map(len, rows))):
            rows, lines = self._fitted(rows, lines, rejects)
        cells = list(zip(*rows, strict=True)) or [()] * width
        if self._has_header(cells[self._probe]) or not all(map(str.strip, cells[self._key])):
            is_row = [self._is_row(row) for row in rows]
            if not all(is_row):
                rows = [row for row, keep in zip(rows, is_row, strict=True) if keep]
                lines = lines[np.array(is_row, dtype=bool)]
                cells = list(zip(*rows, strict=True)) or [()] * width
        for place in self._unnamed:
            if NO_NAME not in self.header.unknown and any(map(str.strip, cells[place])):
                self.header.unknown.append(NO_NAME)
        problems: dict[int, list[str]] = {}
        columns = {name: text_array(cells[at], name, problems) for name, at in self.header.positions.items()}
        for name in self._numbers:
            columns[name] = self._with_points(columns[name], name)
        names = self.header.names
        return RawBatch(lines, columns, lambda row: dict(zip(names, rows[row], strict=True)), problems, rejects)

    def _fitted(
        self, rows: list[list[str]], lines: npt.NDArray[np.int64], rejects: list[Reject]
    ) -> tuple[list[list[str]], npt.NDArray[np.int64]]:
        """All rows as long as the header; those that cannot be are rejected."""
        width = self.width
        kept: list[list[str]] = []
        places: list[int] = []
        for place, row in enumerate(rows):
            if len(row) == width:
                fitted = row
            elif not any(cell.strip(_BLANK) for cell in row):
                continue
            elif len(row) > width and not any(cell.strip(_BLANK) for cell in row[width:]):
                fitted = row[:width]
                self._notes.add("understood", "empty cells at the end of rows do not count")
            elif self._last_required < len(row) < width:
                fitted = row + [""] * (width - len(row))
                self._notes.add("understood", "cells that are missing at the end of rows are empty")
            else:
                reason = f"the row has {len(row)} cells, the header has {width}"
                rejects.append(Reject(int(lines[place]), reason, row))
                continue
            kept.append(fitted)
            places.append(place)
        return kept, lines[np.array(places, dtype=np.int64)]

    def _has_header(self, texts: Sequence[str]) -> bool:
        """Whether the name of the column, however it is spelt, is among the texts below it."""
        return any(normal(text) == self._probed for text in set(texts) if len(text) <= _LONGEST_NAME)

    def _is_row(self, row: list[str]) -> bool:
        if not any(cell.strip(_BLANK) for cell in row):
            return False
        if all(normal(cell) == normal(name) for cell, name in zip(row, self._names, strict=True)):
            self._notes.add("understood", "the header comes again among the rows")
            return False
        return True

    def _with_points(self, texts: ArrowColumn, name: str) -> ArrowColumn:
        """Decimal commas as points."""
        matches = compute.match_substring_regex(texts, _DECIMAL_COMMA)
        if count := compute.sum(matches).as_py():
            examples = map(str, texts.filter(matches).slice(0, SHOWN_EXAMPLES).to_pylist())
            self._notes.add("guessed", f"{name}: the comma is the decimal mark", count, examples)
            texts = compute.if_else(matches, compute.replace_substring(texts, ",", "."), texts)
        return texts


def _is_word(wanted: Wanted, name: str) -> bool:
    return wanted.column(name).kind is Kind.CHOICE


def _named(names: Sequence[str]) -> int:
    """How many there are without the blank ones at the end."""
    return max((place for place, name in enumerate(names, start=1) if name.strip()), default=0)
