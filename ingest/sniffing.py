"""The form of a CSV file, found out from its first bytes."""

import csv
import io
import re
from collections.abc import Sequence

from ingest.encodings import encoding_of_start
from ingest.form import Form
from ingest.headers import Wanted, header_row
from ingest.notes import Notes

SNIFFED_BYTES = 64 << 10
# The first one wins where several fit, as all do for a file of one column.
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}

SEARCHED_ROWS = 20

# What a line may hold and still be blank.
_BLANK = " \t\r\n,;|"
_HINT = re.compile(r'"?sep=(?P<delimiter>.)"?[,;\t|]*', re.IGNORECASE)


def sniff(source: str, sample: bytes, wanted: Wanted, notes: Notes) -> Form:
    """The form of a file that begins with `sample`: its first 64 kB, or all of it.

    What is not plain CSV goes to `notes`.

    Raises:
        TutorqError: its encoding is in doubt.
    """
    if len(sample) >= SNIFFED_BYTES:
        # The end may be the half of a letter.
        sample = sample[: sample.rfind(b"\n") + 1] or sample
    encoding = encoding_of_start(source, sample, notes)
    text = sample.decode("utf-8-sig" if encoding in ("ascii", "utf-8") else encoding, "replace")
    lines = io.StringIO(text, newline="").readlines()
    first = next((place for place, line in enumerate(lines) if line.strip(_BLANK)), 0)
    hint = _HINT.fullmatch(lines[first].strip(" \r\n")) if lines else None
    if hint and first + 1 < len(lines):
        first += 1
    delimiter, header = _delimiter(lines[first:], [hint["delimiter"]] if hint else list(DELIMITERS), wanted)
    if delimiter != ",":
        name = DELIMITERS.get(delimiter, repr(delimiter))
        notes.add("understood", f"its cells are separated by {name}")
    if header:
        skipped = [line for line in lines[first : first + header] if line.strip(_BLANK)]
        if skipped:
            notes.add("guessed", "left out lines above the header", len(skipped))
    return Form(encoding, delimiter, first + header + 1, "," if delimiter == ";" else ".")


def _delimiter(lines: Sequence[str], delimiters: Sequence[str], wanted: Wanted) -> tuple[str, int]:
    """The delimiter by which some line becomes the header, and the place of this line."""
    candidates = []
    for order, delimiter in enumerate(delimiters):
        rows, starts = _rows(lines, delimiter)
        place = header_row(rows, wanted)
        known = wanted.known(rows[place or 0]) if rows else 0
        candidates.append((place is None, -known, order, delimiter, starts[place] if place is not None else 0))
    *_, delimiter, line = min(candidates)
    return delimiter, line


def _rows(lines: Sequence[str], delimiter: str) -> tuple[list[list[str]], list[int]]:
    """The first rows, and the lines on which they start."""
    rows: list[list[str]] = []
    starts: list[int] = []
    reader = csv.reader(lines, delimiter=delimiter)
    line = 0
    try:
        for row in reader:
            rows.append(row)
            starts.append(line)
            line = reader.line_num
            if len(rows) == SEARCHED_ROWS:
                break
    except csv.Error:
        pass
    return rows, starts
