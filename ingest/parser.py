"""Batches of text to batches of typed rows, and the reasons why rows fail. Whole columns at a time."""

import functools
import json
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from ingest import cells, time_forms
from ingest.arrow import ArrowColumn, compute
from ingest.batches import RawBatch, Reject
from ingest.contract import Column, Entity, Kind
from ingest.ids import ODD_PATTERN, ROUNDED_RULE, ReferenceIds, convert_keys, read_id
from ingest.notes import SHOWN_EXAMPLES, Notes
from ingest.spelling import EMPTY_MARKS, not_allowed
from ingest.times import Reason, is_ahead, parse_dates, parse_times
from ingest.unusual import Reader, reread, shown

KEPT_CELL_CHARACTERS = 2_000
# When summer time ends.
LONGEST_DAY = timedelta(hours=25)

_INTEGER_PATTERN = r"^[+-]?\d{1,9}(?:\.0*)?$"
_NUMBER_PATTERN = r"^[+-]?(?:\d{1,12}(?:\.\d{0,17})?|\.\d{1,17})(?:[eE][+-]?\d{1,3})?$"
_TRUE = ("true", "t", "yes", "y", "on", "1", "1.0")
_FALSE = ("false", "f", "no", "n", "off", "0", "0.0")
# Lists whose separator is not the usual `;`.
_OTHER_LIST_PATTERN = r"^[^;]*[,|][^;]*$|^\[.*\]$|^\{.*\}$"
_MARKS = pa.array(sorted(EMPTY_MARKS))
_LONGEST_MARK = max(map(len, EMPTY_MARKS))

# A typed column, and per rule a mask of the rows that break it. Rows that break one without a reason are not wrong, but
# have to be read more closely.
Parsed = tuple[ArrowColumn, list[tuple[ArrowColumn, Reason | None]]]

ARROW_TYPES: dict[Kind, pa.DataType] = {
    Kind.ID: pa.string(),
    Kind.TEXT: pa.string(),
    Kind.TEXTS: pa.string(),
    Kind.EMAIL: pa.string(),
    Kind.CHOICE: pa.string(),
    Kind.INTEGER: pa.int32(),
    Kind.NUMBER: pa.float64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.TIME: pa.timestamp("us", "UTC"),
    Kind.DATE: pa.date32(),
}


@dataclass(frozen=True)
class TypedBatch:
    """Good rows ready to be staged, the people they name for the first time, and the rejected rows.

    `people` maps `tutors` and `students` to pairs of UUID and external id; `remarks` holds the good rows of which some
    cell was left out, as they were delivered; `faults` the reasons of each row that was rejected for its values, each
    as `column: fault`, by its place in the batch.
    """

    rows: pa.Table
    rejects: list[Reject]
    remarks: list[Reject] = field(default_factory=list)
    people: dict[str, list[tuple[str, str | None]]] = field(default_factory=dict)
    faults: dict[int, list[str]] = field(default_factory=dict)


class BatchParser:
    """Turns the batches of one file into typed rows; remembers the ids it met, and notes what was not plain.

    Strict, it rejects a row for any cell; otherwise only for one that the row cannot do without.
    """

    def __init__(self, entity: Entity, zone: str, notes: Notes, *, is_strict: bool = False) -> None:
        self._entity = entity
        self._zone = zone
        self._notes = notes
        self._is_strict = is_strict
        self._ids = {column.name: ReferenceIds() for column in entity.references}

    def parse(self, raw: RawBatch) -> TypedBatch:
        """Rows in file order; a rejected row is among the rejects, with all its reasons."""
        count = len(raw.lines)
        reasons: dict[int, list[str]] = {}
        lost: dict[int, list[str]] = {}
        problems: dict[str, dict[int, list[str]]] = {column.name: {} for column in self._entity.columns}
        for row, found in raw.problems.items():
            for problem in found:
                # What concerns no column of the contract concerns the row.
                problems.get(problem.partition(": ")[0], reasons).setdefault(row, []).append(problem)
        values: dict[str, ArrowColumn] = {}
        for column in self._entity.columns:
            faults = problems[column.name]
            text = raw.columns.get(column.name)
            if text is None:
                # Versions are compared as wholes; only tutors and students keep what a file leaves out.
                if self._entity.is_versioned:
                    values[column.name] = pa.array([None] * count, ARROW_TYPES[column.kind])
            else:
                values[column.name] = self._checked(column, _cleaned(text), faults)
            costs_row = column.costs_row or self._is_strict
            if faults and not costs_row:
                values[column.name] = _without(values[column.name], faults)
                self._note_lost(f"{column.name}: cells that cannot be read", raw.columns[column.name], faults)
            for row, found in faults.items():
                (reasons if costs_row else lost).setdefault(row, []).extend(found)
        for first, last in self._entity.spans:
            crossed = _crossed(values[first], values[last], self._zone)
            # Nothing tells which of the two is wrong.
            for name, rule in ((first, f"is after {last}"), (last, f"is before {first}")) if crossed else ():
                text = raw.columns[name]
                if not self._is_strict:
                    values[name] = _without(values[name], crossed)
                    self._note_lost(f"{name}: cells with a time that {rule}", text, crossed)
                for row in crossed:
                    fault = f"{name}: {shown(str(text[row].as_py()))} {rule}"
                    (reasons if self._is_strict else lost).setdefault(row, []).append(fault)

        lines = pa.array(raw.lines)
        if reasons:
            is_good = np.ones(count, dtype=bool)
            is_good[list(reasons)] = False
            mask = pa.array(is_good)
            lines = lines.filter(mask)
            values = {name: array.filter(mask) for name, array in values.items()}
            for row in reasons.keys() & lost.keys():
                reasons[row] += lost.pop(row)
        rejects = raw.rejects + _rejects(raw, reasons)
        remarks = _rejects(raw, lost)

        people: dict[str, list[tuple[str, str | None]]] = {}
        staged: dict[str, ArrowColumn] = {"line": lines}
        for name, array in values.items():
            column = next(column for column in self._entity.columns if column.name == name)
            if name == self._entity.key:
                staged[name], external = convert_keys(array)
                if self._entity.has_external_id:
                    staged["external_id"] = external
            elif column.references:
                staged[name], people[column.references] = self._ids[name].convert(array)
            elif column.kind is Kind.TIME:
                # Arrow writes times without a zone twenty times faster; COPY reads them in a session on UTC.
                staged[name] = compute.cast(array, pa.timestamp("us"))
            else:
                staged[name] = array
        return TypedBatch(pa.table(staged), rejects, remarks, people, reasons)

    def _checked(self, column: Column, text: ArrowColumn, faults: dict[int, list[str]]) -> ArrowColumn:
        """The column in its type; faults are added by row. Only cells that are not plain are looked at one by one."""
        delivered = text
        text, (values, rules) = _read(column, text, self._zone, self._notes)
        if column.is_required and text.null_count:
            for row in np.flatnonzero(text.is_null().to_numpy(zero_copy_only=False)):
                faults.setdefault(int(row), []).append(f"{column.name}: {_missing(delivered[int(row)].as_py())}")
        if column.is_version:
            rules.append(is_ahead(values))
        for is_broken, reason in rules:
            if reason is None or not compute.any(is_broken).as_py():
                continue
            for row in np.flatnonzero(compute.fill_null(is_broken, False).to_numpy(zero_copy_only=False)):
                cell = str(delivered[int(row)].as_py())
                rule = reason if isinstance(reason, str) else reason(cell, not self._is_strict)
                faults.setdefault(int(row), []).append(f"{column.name}: {shown(cell)} {rule}")
        return values

    def _note_lost(self, what: str, text: ArrowColumn, rows: Collection[int]) -> None:
        examples = [repr(shown(str(text[row].as_py()))) for row in list(rows)[:SHOWN_EXAMPLES]]
        self._notes.add("left out", what, len(rows), examples)


def _crossed(first: ArrowColumn, last: ArrowColumn, zone: str) -> list[int]:
    """The rows in which the first time is after the last. A last one at midnight may be a day without a clock."""
    is_crossed = compute.fill_null(compute.greater(first, last), False)
    rows = [int(row) for row in np.flatnonzero(is_crossed.to_numpy(zero_copy_only=False))]
    return [
        row
        for row in rows
        if first[row].as_py() - last[row].as_py() >= LONGEST_DAY or not _is_midnight(last[row].as_py(), zone)
    ]


def _is_midnight(instant: datetime, zone: str) -> bool:
    return any(instant.astimezone(ZoneInfo(name)).time() == time.min for name in (zone, "UTC"))


def _missing(cell: str | None) -> str:
    word = (cell or "").strip()
    return f"is missing: {word} is a word for an empty cell" if word in EMPTY_MARKS else "is missing"


def _rejects(raw: RawBatch, reasons: dict[int, list[str]]) -> list[Reject]:
    return [Reject(int(raw.lines[row]), "; ".join(reasons[row]), raw.delivered(row)) for row in sorted(reasons)]


def _without(values: ArrowColumn, rows: Iterable[int]) -> ArrowColumn:
    is_kept = np.ones(len(values), dtype=bool)
    is_kept[list(rows)] = False
    kept: ArrowColumn = compute.if_else(pa.array(is_kept), values, pa.scalar(None, values.type))
    return kept


def read_times(text: ArrowColumn, zone: str) -> ArrowColumn:
    """Times as those of any file are read, however they are written; null where there is none to be read."""
    _, (values, _) = _read(Column("time", Kind.TIME, "timestamptz"), _cleaned(text), zone, Notes())
    return values


def staged_columns(entity: Entity, present: set[str]) -> list[Column]:
    """Columns of the contract that are staged for a file with the columns `present`."""
    return [column for column in entity.columns if entity.is_versioned or column.name in present]


def quarantine_json(content: object, most_characters: int | None = None) -> str:
    """A delivered row as JSON; long cells are cut, bytes that are not UTF-8 are escaped.

    Of a row of more than `most_characters` the longest fields are left out, so that it stays JSON and keeps its id.
    """
    text = _as_json(content)
    if most_characters is None or len(text) <= most_characters:
        return text
    if not isinstance(content, dict):
        return _as_json(_cut(text))
    lengths = {name: len(_as_json({name: cell})) for name, cell in content.items()}
    kept: set[str] = set()
    for name in sorted(lengths, key=lengths.__getitem__):
        most_characters -= lengths[name]
        if most_characters < 0:
            break
        kept.add(name)
    rest = {name: cell for name, cell in content.items() if name in kept}
    return _as_json({**rest, "…": f"{len(content) - len(kept)} fields were too long"})


def _as_json(content: object) -> str:
    if isinstance(content, dict):
        content = {name: _cut(cell) for name, cell in content.items()}
    elif isinstance(content, list):
        content = [_cut(cell) for cell in content]
    else:
        content = _cut(content)
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()


def _cut(cell: Any) -> Any:
    if isinstance(cell, str) and len(cell) > KEPT_CELL_CHARACTERS:
        return f"{cell[:KEPT_CELL_CHARACTERS]}… ({len(cell)} characters)"
    return cell


def _cleaned(text: ArrowColumn) -> ArrowColumn:
    """Trimmed; empty is null."""
    text = compute.utf8_trim_whitespace(text)
    is_empty = compute.equal(compute.binary_length(text), 0)
    return compute.if_else(is_empty, None, text) if compute.any(is_empty).as_py() else text


def _read(column: Column, text: ArrowColumn, zone: str, notes: Notes) -> tuple[ArrowColumn, Parsed]:
    """The column as plain text, and what comes of it."""
    parsed = _parsed(column, text, zone)
    broken = [compute.fill_null(mask, False) for mask, _ in parsed[1] if compute.any(mask).as_py()]
    if not broken:
        return text, parsed
    are_wrong = functools.partial(_are_wrong, column, zone=zone)
    if column.kind is Kind.TIME:
        text = time_forms.with_usual_zone(column, text, are_wrong, notes)
        is_odd = time_forms.are_other(text)
    else:
        is_odd = functools.reduce(compute.or_, broken)
    text = reread(column, text, is_odd, _READERS[column.kind](column), are_wrong, notes)
    return text, _parsed(column, text, zone)


def _parsed(column: Column, text: ArrowColumn, zone: str) -> Parsed:
    return parse_times(text, zone) if column.kind is Kind.TIME else _PARSERS[column.kind](column, text)


def _are_wrong(column: Column, text: ArrowColumn, zone: str) -> ArrowColumn:
    _, rules = _parsed(column, text, zone)
    masks = [compute.fill_null(mask, False) for mask, reason in rules if reason is not None]
    return functools.reduce(compute.or_, masks)


def _parse_text(column: Column, text: ArrowColumn) -> Parsed:
    lengths = compute.utf8_length(text)
    bounds = compute.min_max(lengths).as_py()
    rules: list[tuple[ArrowColumn, Reason | None]] = [
        (compute.greater(lengths, column.longest), f"is longer than {column.longest} characters")
    ]
    if (bounds["min"] or 0) <= _LONGEST_MARK:
        rules.append((compute.is_in(text, _MARKS), None))
    return text, rules


def _parse_id(column: Column, text: ArrowColumn) -> Parsed:
    text, rules = _parse_text(column, text)
    lengths = compute.min_max(compute.binary_length(text)).as_py()
    # Nothing odd has 36 characters, and a column of plain UUIDs nothing else.
    if lengths != {"min": 36, "max": 36}:
        rules.append((compute.match_substring_regex(text, ODD_PATTERN), ROUNDED_RULE))
    return text, rules


def _parse_texts(column: Column, text: ArrowColumn) -> Parsed:
    """A list stays joined by `;`, without empty entries and blanks around entries."""
    joined = compute.replace_substring_regex(text, r"\s*;[\s;]*", ";")
    text, rules = _parse_text(column, _cleaned(compute.utf8_trim(joined, ";")))
    return text, [*rules, (compute.match_substring_regex(text, _OTHER_LIST_PATTERN), None)]


def _parse_email(column: Column, text: ArrowColumn) -> Parsed:
    text, rules = _parse_text(column, text)
    is_other = compute.invert(compute.match_substring_regex(text, f"^{cells.EMAIL}$"))
    return text, [(is_other, "is not one e-mail address such as ada@example.org"), *rules]


def _parse_choice(column: Column, text: ArrowColumn) -> Parsed:
    is_other = compute.and_(text.is_valid(), compute.invert(compute.is_in(text, pa.array(column.allowed))))
    return text, [(is_other, functools.partial(not_allowed, allowed=column.allowed))]


def _parse_integer(column: Column, text: ArrowColumn) -> Parsed:
    matches = compute.match_substring_regex(text, _INTEGER_PATTERN)
    digits = compute.replace_substring_regex(compute.if_else(matches, text, None), r"^\+|\.0*$", "")
    values = compute.cast(digits, pa.int32())
    return values, [(compute.invert(matches), cells.whole_number_reason), _outside(column, values)]


def _parse_number(column: Column, text: ArrowColumn) -> Parsed:
    matches = compute.match_substring_regex(text, _NUMBER_PATTERN)
    digits = compute.replace_substring_regex(compute.if_else(matches, text, None), r"^\+", "")
    values = compute.cast(digits, pa.float64())
    return values, [(compute.invert(matches), cells.number_reason), _outside(column, values)]


def _parse_boolean(_: Column, text: ArrowColumn) -> Parsed:
    lowered = compute.utf8_lower(text)
    is_true = compute.is_in(lowered, pa.array(_TRUE))
    is_known = compute.or_(is_true, compute.is_in(lowered, pa.array(_FALSE)))
    values = compute.if_else(is_known, is_true, pa.scalar(None, pa.bool_()))
    return values, [
        (
            compute.and_(text.is_valid(), compute.invert(is_known)),
            cells.boolean_reason,
        )
    ]


def _outside(column: Column, values: ArrowColumn) -> tuple[ArrowColumn, str]:
    is_outside = compute.or_(compute.less(values, column.low), compute.greater(values, column.high))
    return is_outside, f"is not between {column.low} and {column.high}"


_PARSERS: dict[Kind, Callable[[Column, ArrowColumn], Parsed]] = {
    Kind.ID: _parse_id,
    Kind.TEXT: _parse_text,
    Kind.TEXTS: _parse_texts,
    Kind.EMAIL: _parse_email,
    Kind.CHOICE: _parse_choice,
    Kind.INTEGER: _parse_integer,
    Kind.NUMBER: _parse_number,
    Kind.BOOLEAN: _parse_boolean,
    Kind.DATE: lambda _, text: parse_dates(text),
}

_READERS: dict[Kind, Callable[[Column], Reader]] = {
    Kind.ID: lambda _: read_id,
    Kind.TEXT: lambda _: cells.read_text,
    Kind.TEXTS: lambda _: cells.read_list,
    Kind.EMAIL: lambda _: cells.read_email,
    Kind.CHOICE: lambda column: functools.partial(cells.read_choice, column=column),
    Kind.INTEGER: lambda _: cells.read_value,
    Kind.NUMBER: lambda column: functools.partial(cells.read_number, column=column),
    Kind.BOOLEAN: lambda _: cells.read_value,
    Kind.TIME: lambda _: time_forms.read_time,
    Kind.DATE: lambda _: time_forms.read_date,
}
