"""Batches of text to batches of typed rows, and the reasons why rows fail. Whole columns at a time."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from ingest.arrow import ArrowColumn, compute
from ingest.contract import Column, Entity, Kind
from ingest.ids import ReferenceIds, convert_keys
from ingest.batches import RawBatch, Reject
from ingest.times import is_ahead, parse_dates, parse_times

SHOWN_CHARACTERS = 60
KEPT_CELL_CHARACTERS = 2_000

_INTEGER_PATTERN = r"^[+-]?\d{1,9}(?:\.0*)?$"
_NUMBER_PATTERN = r"^[+-]?(?:\d{1,12}(?:\.\d{0,17})?|\.\d{1,17})(?:[eE][+-]?\d{1,3})?$"
_TRUE, _FALSE = ("true", "t", "yes", "1"), ("false", "f", "no", "0")

# A typed column, and per rule a mask of the rows that break it.
Parsed = tuple[ArrowColumn, list[tuple[ArrowColumn, str]]]

ARROW_TYPES: dict[Kind, pa.DataType] = {
    Kind.ID: pa.string(),
    Kind.TEXT: pa.string(),
    Kind.TEXTS: pa.string(),
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

    `people` maps `tutors` and `students` to pairs of UUID and external id; `faults` holds the reasons of each
    row that was rejected for its values, each as `column: fault`, by its place in the batch.
    """

    rows: pa.Table
    rejects: list[Reject]
    people: dict[str, list[tuple[str, str | None]]] = field(default_factory=dict)
    faults: dict[int, list[str]] = field(default_factory=dict)


class BatchParser:
    """Turns the batches of one file into typed rows; remembers the ids it met."""

    def __init__(self, entity: Entity, zone: str) -> None:
        self._entity = entity
        self._zone = zone
        self._ids = {column.name: ReferenceIds() for column in entity.references}

    def parse(self, raw: RawBatch) -> TypedBatch:
        """Rows in file order; a row with any fault is among the rejects, with all its reasons."""
        count = len(raw.lines)
        reasons = {row: list(found) for row, found in raw.problems.items()}
        values: dict[str, ArrowColumn] = {}
        for column in self._entity.columns:
            text = raw.columns.get(column.name)
            if text is None:
                # Versions are compared as wholes; only tutors and students keep what a file leaves out.
                if self._entity.is_versioned:
                    values[column.name] = pa.array([None] * count, ARROW_TYPES[column.kind])
                continue
            values[column.name] = _checked(column, _cleaned(text), self._zone, reasons)

        lines = pa.array(raw.lines)
        if reasons:
            is_good = np.ones(count, dtype=bool)
            is_good[list(reasons)] = False
            mask = pa.array(is_good)
            lines = lines.filter(mask)
            values = {name: array.filter(mask) for name, array in values.items()}
        rejects = raw.rejects + [
            Reject(int(raw.lines[row]), "; ".join(reasons[row]), raw.delivered(row)) for row in sorted(reasons)
        ]

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
        return TypedBatch(pa.table(staged), rejects, people, reasons)


def staged_columns(entity: Entity, present: set[str]) -> list[Column]:
    """Columns of the contract that are staged for a file with the columns `present`."""
    return [column for column in entity.columns if entity.is_versioned or column.name in present]


def quarantine_json(content: object) -> str:
    """A delivered row as JSON; long cells are cut, bytes that are not UTF-8 are escaped."""
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


def _checked(column: Column, text: ArrowColumn, zone: str, reasons: dict[int, list[str]]) -> ArrowColumn:
    """The column in its type; faults are added to `reasons` by row."""
    if column.is_required and text.null_count:
        for row in np.flatnonzero(text.is_null().to_numpy(zero_copy_only=False)):
            reasons.setdefault(int(row), []).append(f"{column.name}: is missing")
    values, rules = parse_times(text, zone) if column.kind is Kind.TIME else _PARSERS[column.kind](column, text)
    if column.is_version:
        rules.append(is_ahead(values))
    for is_broken, rule in rules:
        if not compute.any(is_broken).as_py():
            continue
        for row in np.flatnonzero(compute.fill_null(is_broken, False).to_numpy(zero_copy_only=False)):
            shown = str(text[int(row)].as_py())
            if len(shown) > SHOWN_CHARACTERS:
                shown = f"{shown[:SHOWN_CHARACTERS]}…"
            reasons.setdefault(int(row), []).append(f"{column.name}: {shown} {rule}")
    return values


def _parse_text(column: Column, text: ArrowColumn) -> Parsed:
    is_long = compute.greater(compute.utf8_length(text), column.longest)
    return text, [(is_long, f"is longer than {column.longest} characters")]


def _parse_texts(column: Column, text: ArrowColumn) -> Parsed:
    """A list stays joined by `;`, without empty entries and blanks around entries."""
    joined = compute.replace_substring_regex(text, r"\s*;[\s;]*", ";")
    return _parse_text(column, _cleaned(compute.utf8_trim(joined, ";")))


def _parse_choice(column: Column, text: ArrowColumn) -> Parsed:
    is_other = compute.and_(text.is_valid(), compute.invert(compute.is_in(text, pa.array(column.allowed))))
    return text, [(is_other, f"is not one of {', '.join(column.allowed)}")]


def _parse_integer(column: Column, text: ArrowColumn) -> Parsed:
    matches = compute.match_substring_regex(text, _INTEGER_PATTERN)
    digits = compute.replace_substring_regex(compute.if_else(matches, text, None), r"^\+|\.0*$", "")
    values = compute.cast(digits, pa.int32())
    return values, [(compute.invert(matches), "is not a whole number"), _outside(column, values)]


def _parse_number(column: Column, text: ArrowColumn) -> Parsed:
    matches = compute.match_substring_regex(text, _NUMBER_PATTERN)
    digits = compute.replace_substring_regex(compute.if_else(matches, text, None), r"^\+", "")
    values = compute.cast(digits, pa.float64())
    return values, [(compute.invert(matches), "is not a number"), _outside(column, values)]


def _parse_boolean(_: Column, text: ArrowColumn) -> Parsed:
    lowered = compute.utf8_lower(text)
    is_true = compute.is_in(lowered, pa.array(_TRUE))
    is_known = compute.or_(is_true, compute.is_in(lowered, pa.array(_FALSE)))
    values = compute.if_else(is_known, is_true, pa.scalar(None, pa.bool_()))
    return values, [(compute.and_(text.is_valid(), compute.invert(is_known)), "is neither true nor false")]


def _outside(column: Column, values: ArrowColumn) -> tuple[ArrowColumn, str]:
    is_outside = compute.or_(compute.less(values, column.low), compute.greater(values, column.high))
    return is_outside, f"is not between {column.low} and {column.high}"


_PARSERS: dict[Kind, Callable[[Column, ArrowColumn], Parsed]] = {
    Kind.ID: _parse_text,
    Kind.TEXT: _parse_text,
    Kind.TEXTS: _parse_texts,
    Kind.CHOICE: _parse_choice,
    Kind.INTEGER: _parse_integer,
    Kind.NUMBER: _parse_number,
    Kind.BOOLEAN: _parse_boolean,
    Kind.DATE: lambda _, text: parse_dates(text),
}
