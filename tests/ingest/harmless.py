"""Clean landing files, and what people and programs do to such files without changing what they say.

A `Sheet` is a file before it is written. `CHANGES` are functions of a sheet, changed in place, and a random generator;
each keeps the meaning whatever came before it, so that any chain of them does.
"""

import csv
import gzip
import io
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from ingest.contract import ENTITIES, Kind
from ingest.ids import NAMESPACE, is_uuid

ZONE = "Europe/Vienna"
# Words with letters by which CP1252 is known for sure.
WORDS = ("Müller", "Café", "Zoë", "Größe")
# What the parts of a text are made of that make cells hard to split.
LETTERS = "abzÄéñüß ,;|\t\"'\n"


def _uuid(number: int) -> str:
    return str(UUID(int=NAMESPACE.int + number))


CLEAN: dict[str, list[dict[str, str]]] = {
    "tutors": [
        {
            "tutor_id": _uuid(1), "name": "Ada", "email": "ada@example.org", "subjects": "math;physics, applied",
            "is_active": "true", "hired_at": "2020-02-29", "capacity": "12", "experience_years": "7.5",
            "teaching_style": "flexible", "preferred_pace": "1",
        },
        {
            "tutor_id": "12", "name": "Bo None", "email": "", "subjects": "", "is_active": "false", "hired_at": "",
            "capacity": "", "experience_years": "", "teaching_style": "", "preferred_pace": "",
        },
    ],
    "students": [
        {
            "student_id": "7", "name": "Cy", "age": "12", "subjects": "latin",
            "preferred_teaching_style": "structured", "learning_goals": "",
        }
    ],
    "sessions": [
        {
            "session_id": f"s{number}" if number % 2 else _uuid(100 + number), "tutor_id": tutor, "student_id": "7",
            "scheduled_time": scheduled, "status": status, "subject": "math", "started_at": started, "rating": rating,
            "duration_minutes": "60", "initiator": initiator, "technical_issue": "true" if number == 2 else "",
            "updated_at": "2026-03-31T10:00:00Z", "reason_code": "",
        }
        for number, (tutor, scheduled, status, started, rating, initiator) in enumerate([
            (_uuid(1), "2026-03-29T00:30:00Z", "completed", "2026-03-29T00:36:00Z", "4.5", ""),
            ("12", "2026-03-29T01:30:00Z", "no_show", "", "", "tutor"),
            (_uuid(1), "2026-07-01T15:00:00.25Z", "cancelled", "", "", "platform"),
            ("12", "2026-12-31T23:00:00Z", "rescheduled", "", "", ""),
            (_uuid(1), "2026-10-25T01:30:00Z", "scheduled", "", "", ""),
        ])
    ],
    "reschedules": [
        {
            "session_id": "s3", "initiator": "student", "reason": "ill", "requested_at": "2026-12-01T08:05:00Z",
            "original_time": "", "new_time": "2026-12-31T23:00:00Z",
        },
    ],
}  # fmt: skip
# Cells that may hold any text.
FREE = {
    "tutors": ("name",), "students": ("name", "learning_goals"), "sessions": ("subject", "reason_code"),
    "reschedules": ("reason",),
}  # fmt: skip


@dataclass
class Row:
    """A row of data, or a line between such rows: blank, or the header again."""

    kind: Literal["data", "blank", "header"]
    cells: list[str]
    surplus: int = 0
    is_cut: bool = False


@dataclass
class Sheet:
    """A landing file before it is written; see `write`."""

    entity: str
    # Of the contract, and as they are spelt.
    columns: list[str]
    names: list[str]
    rows: list[Row]
    name: str = ""
    surplus_names: int = 0
    lines_above: list[str] = field(default_factory=list)
    has_hint: bool = False
    delimiter: str = ","
    decimal: str = "."
    quoting: Literal[0, 1, 2] = csv.QUOTE_MINIMAL
    line_end: str = "\n"
    encoding: str = "utf-8"
    is_gzip: bool = False

    def data(self) -> list[Row]:
        return [row for row in self.rows if row.kind == "data"]

    def has_safe_letters(self) -> bool:
        """Whether it can be CP1252, and nobody could take it for something else."""
        words = {word for row in self.data() for cell in row.cells for word in re.split(r"[\s,;|\"']+", cell)}
        return all(word.isascii() or word in WORDS for word in words)


def sheet(entity: str, rows: Sequence[dict[str, str]]) -> Sheet:
    return Sheet(
        entity, list(rows[0]), list(rows[0]), [Row("data", list(row.values())) for row in rows], name=f"{entity}.csv"
    )


def write(sheet: Sheet, folder: Path) -> Path:
    """Write the file into a folder."""
    entity = ENTITIES[sheet.entity]
    names = sheet.columns
    last_required = max(names.index(name) for name in (entity.key, *entity.required))
    numbers = [
        place
        for place, name in enumerate(names)
        if entity.column(name).kind in (Kind.NUMBER, Kind.INTEGER) and sheet.decimal == ","
    ]
    table = [sheet.names + [""] * sheet.surplus_names]
    for row in sheet.rows:
        cells = [*row.cells, *[""] * row.surplus]
        if row.kind == "data":
            for place in numbers:
                cells[place] = re.sub(r"^(\d+)\.(\d{1,2})$", r"\1,\2", cells[place])
            # A row over several lines needs all of its cells: a quote that is never closed makes such rows, too.
            while row.is_cut and len(cells) > last_required + 1 and not cells[-1] and "\n" not in "".join(cells):
                cells.pop()
        table.append(cells)
    text = io.StringIO()
    # With another end of lines it would leave line breaks in cells without quotes.
    writer = csv.writer(text, delimiter=sheet.delimiter, quoting=sheet.quoting, lineterminator="\r\n")
    writer.writerows(table)
    body = text.getvalue().replace("\r\n", sheet.line_end)
    hint = [f"sep={sheet.delimiter}"] if sheet.has_hint else []
    above = "".join(line + sheet.line_end for line in hint + sheet.lines_above)
    data = (above + body).encode(sheet.encoding)
    path = folder / (f"{sheet.name}.gz" if sheet.is_gzip else sheet.name)
    path.write_bytes(gzip.compress(data) if sheet.is_gzip else data)
    return path


Change = Callable[[Sheet, random.Random], None]


def _of_cells(kinds: Sequence[Kind], change: Callable[[str, random.Random], str]) -> Change:
    """A change of each cell of the columns of these kinds."""

    def changed(sheet: Sheet, draw: random.Random) -> None:
        places = [place for place, name in enumerate(sheet.columns) if _kind(sheet, name) in kinds]
        for row in sheet.data():
            for place in places:
                row.cells[place] = change(row.cells[place], draw)

    return changed


def _kind(sheet: Sheet, name: str) -> Kind:
    return ENTITIES[sheet.entity].column(name).kind


def _word(word: str, draw: random.Random) -> str:
    word = draw.choice([word, word.upper(), word.title(), word.replace("_", " "), word.replace("_", "-"), f" {word} "])
    word = draw.choice([word, word.replace("_", "")])
    return word.replace("cancelled", draw.choice(["cancelled", "canceled"]))


def _boolean(cell: str, draw: random.Random) -> str:
    forms = {"true": ["T", "Yes", "y", "ON", "1", "1.0", "TRUE"], "false": ["F", "No", "n", "off", "0", "0.0", "False"]}
    return draw.choice(forms.get(cell, [cell]))


_MARKS = ["NULL", "null", "NaN", "nan", r"\N", "#N/A", "N/A", "n/a", "-", "--", "  ", ""]
_NO_TIMES = ["0000-00-00", "0000-00-00 00:00:00", "0001-01-01T00:00:00", "1900-01-00"]


def _empty_text(cell: str, draw: random.Random) -> str:
    return cell or draw.choice(_MARKS)


def _empty_value(cell: str, draw: random.Random) -> str:
    return cell or draw.choice([*_MARKS, "None", "none", "NA"])


def _empty_time(cell: str, draw: random.Random) -> str:
    return cell or draw.choice([*_MARKS, "None", *_NO_TIMES])


def _time(cell: str, draw: random.Random) -> str:
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", cell):
        return cell
    time = datetime.fromisoformat(cell).astimezone(UTC)
    zoned = time.astimezone(ZoneInfo(draw.choice([ZONE, "America/St_Johns", "Asia/Kolkata"])))
    fraction = f".{time.microsecond:06}" if time.microsecond else ""
    offset = zoned.strftime("%z")
    return draw.choice([
        zoned.isoformat(),
        f"{time:%Y-%m-%d %H:%M:%S}{fraction} UTC",
        f"{time:%Y-%m-%d %H:%M:%S}{fraction} +0000",
        f"{time:%Y-%m-%dt%H:%M:%S}{fraction}z",
        f"{time:%Y-%m-%dT%H:%M:%S}{fraction.replace('.', ',')} Z",
        f"{time:%Y/%m/%d} {time.hour}:{time:%M:%S}{fraction} GMT",
        f"{zoned:%Y-%m-%dT%H:%M:%S}{fraction}{offset[:3]}:{offset[3:]}[{zoned.tzinfo}]",
        f"{zoned:%d %b %Y %H:%M:%S}{fraction} {offset}",
        f"{zoned:%A, %d %B %Y, %H:%M:%S}{fraction} {offset}",
        cell if fraction else f"{time:%Y%m%dT%H%M%SZ}",
        f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond:06}789Z",
    ])  # fmt: skip


def _date(cell: str, draw: random.Random) -> str:
    if not re.fullmatch(r"20\d\d-\d\d-\d\d", cell):
        return cell
    day = datetime.fromisoformat(cell)
    return draw.choice([f"{cell} 23:30:00-05:00", f"{cell}T09:00", f"{day:%d %B %Y}", f"{day:%Y/%m/%d}", cell])


def _id(cell: str, draw: random.Random) -> str:
    if is_uuid(cell):
        key = UUID(cell)
        return draw.choice([cell.upper(), key.hex, f"{{{key}}}", key.urn, key.urn.upper(), f"{{{key.hex}}}"])
    return draw.choice([cell, f"{cell}.0", f" {cell} "]) if cell.isdigit() else cell


def _list(cell: str, draw: random.Random) -> str:
    if ";" not in cell:
        return cell
    parts = cell.split(";")
    quoted = ",".join(f'"{part}"' for part in parts)
    return draw.choice([f"[{quoted}]", f"{{{quoted}}}", " | ".join(parts), " ; ".join(parts) + ";"])


def _address(cell: str, draw: random.Random) -> str:
    plain = cell.startswith("ada@")
    return draw.choice([f"Ada <{cell}>", f"mailto:{cell}", f'"Lovelace, Ada" <{cell}>']) if plain else cell


def _whole_number(cell: str, draw: random.Random) -> str:
    return draw.choice([cell, f"{cell}.0", f"+{cell}"]) if cell.isdigit() else cell


def _no_rating(sheet: Sheet, draw: random.Random) -> None:
    if "rating" in sheet.columns:
        place = sheet.columns.index("rating")
        for row in sheet.data():
            row.cells[place] = row.cells[place] or draw.choice(["", "0", "0.0"])


def _spell_header(sheet: Sheet, draw: random.Random) -> None:
    spellings: list[Callable[[str], str]] = [
        str,
        str.upper,
        str.title,
        lambda name: name.replace("_", " ").title(),
        lambda name: name.replace("_", "-"),
        lambda name: name.title().replace("_", ""),
        lambda name: f" {name} ",
    ]
    sheet.names = [draw.choice(spellings)(name) for name in sheet.columns]


def _order_columns(sheet: Sheet, draw: random.Random) -> None:
    order = draw.sample(range(len(sheet.names)), len(sheet.names))
    sheet.names = [sheet.names[place] for place in order]
    sheet.columns = [sheet.columns[place] for place in order]
    for row in sheet.rows:
        if row.kind != "blank":
            row.cells = [row.cells[place] for place in order]


def _insert(sheet: Sheet, row: Row, draw: random.Random) -> None:
    sheet.rows.insert(draw.randint(0, len(sheet.rows)), row)


def _add_blank_row(sheet: Sheet, draw: random.Random) -> None:
    width = len(sheet.names)
    _insert(sheet, Row("blank", draw.choice([[], [""] * width, [" "] * (width + 2), ["\t"], ["\xa0"] * width])), draw)


def _repeat_header(sheet: Sheet, draw: random.Random) -> None:
    _insert(sheet, Row("header", list(sheet.names)), draw)


def _add_empty_cells(sheet: Sheet, draw: random.Random) -> None:
    sheet.surplus_names = draw.randint(0, 2)
    for row in sheet.rows:
        row.surplus = draw.randint(0, 3)


def _cut_rows(sheet: Sheet, draw: random.Random) -> None:
    for row in sheet.data():
        row.is_cut = draw.random() < 0.5


def _add_lines_above(sheet: Sheet, draw: random.Random) -> None:
    sheet.lines_above = [draw.choice(["", " ", sheet.delimiter * 3]) for _ in range(draw.randint(1, 3))]


def _delimit(sheet: Sheet, draw: random.Random) -> None:
    sheet.delimiter = draw.choice(",;\t|")
    # As spreadsheets do where the comma is the decimal mark.
    sheet.decimal = draw.choice(".,") if sheet.delimiter == ";" else "."
    sheet.lines_above = ["" for _ in sheet.lines_above]


def _hint(sheet: Sheet, _: random.Random) -> None:
    sheet.has_hint = True


def _quote(sheet: Sheet, draw: random.Random) -> None:
    sheet.quoting = draw.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])


def _end_lines(sheet: Sheet, draw: random.Random) -> None:
    sheet.line_end = draw.choice(["\n", "\r\n", "\r"])


def _encode(sheet: Sheet, draw: random.Random) -> None:
    encodings = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]
    has_others = any(not cell.isascii() for row in sheet.rows if row.kind == "blank" for cell in row.cells)
    sheet.encoding = draw.choice(encodings + ["cp1252"] * 2 * (sheet.has_safe_letters() and not has_others))


def _compress(sheet: Sheet, _: random.Random) -> None:
    sheet.is_gzip = True


def _rename(sheet: Sheet, draw: random.Random) -> None:
    names = ["{}.csv", "{}-2026-01.csv", "{}.export.csv", "{} (1).csv", "{}.tsv", "{}_20260131.CSV"]
    sheet.name = draw.choice(names).format(draw.choice([sheet.entity, sheet.entity.title()]))


VALUES: dict[str, Change] = {
    "words": _of_cells([Kind.CHOICE], _word),
    "booleans": _of_cells([Kind.BOOLEAN], _boolean),
    "empty texts": _of_cells([Kind.TEXT, Kind.TEXTS], _empty_text),
    "empty values": _of_cells(
        [Kind.EMAIL, Kind.CHOICE, Kind.INTEGER, Kind.NUMBER, Kind.BOOLEAN], _empty_value
    ),
    "empty times": _of_cells([Kind.TIME, Kind.DATE], _empty_time),
    "times": _of_cells([Kind.TIME], _time),
    "dates": _of_cells([Kind.DATE], _date),
    "ids": _of_cells([Kind.ID], _id),
    "lists": _of_cells([Kind.TEXTS], _list),
    "addresses": _of_cells([Kind.EMAIL], _address),
    "whole numbers": _of_cells([Kind.INTEGER], _whole_number),
    "no ratings": _no_rating,
}  # fmt: skip
FORMS: dict[str, Change] = {
    "header": _spell_header,
    "order of columns": _order_columns,
    "blank row": _add_blank_row,
    "header again": _repeat_header,
    "empty cells": _add_empty_cells,
    "missing cells": _cut_rows,
    "lines above": _add_lines_above,
    "delimiter": _delimit,
    "hint": _hint,
    "quotes": _quote,
    "line ends": _end_lines,
    "encoding": _encode,
    "gzip": _compress,
    "file name": _rename,
}
CHANGES = VALUES | FORMS
