"""Cells of a file by its mapping: columns of the file become columns of the contract, still as text."""

import difflib
import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pyarrow as pa

from core.errors import TutorqError
from ingest.arrow import ArrowColumn, compute
from ingest.batches import RawBatch
from ingest.contract import Column, Entity, Kind
from ingest.headers import NO_NAME, Header, distinct
from ingest.mapping import NUMBER_FORMS, Between, EntityMapping, Rule
from ingest.notes import Notes
from ingest.parser import read_times
from ingest.spelling import EMPTY_MARKS, loose, normal

_MICROSECONDS_A_MINUTE = 60_000_000
# Of numbers that are times: the unit, and the moment from which they count.
_UNITS: dict[str, tuple[Any, str]] = {
    "epoch_seconds": ("s", "unix"),
    "epoch_milliseconds": ("ms", "unix"),
    "excel_days": ("D", "1899-12-30"),
}
# A clock, of 24 or of 12 hours.
_BEFORE_ZONE = r"(?:(\d)\s*|([AaPp]\.?[Mm]\.?)\s+)"
_GROUPED = r"^[+-]?\d{1,3}(?:\.\d{3})+(?:,\d+)?$"


class OfMapping:
    """The columns of a file from which a mapping takes those of the contract.

    Args:
        zone: in which its times without an offset are.
        notes: what is missing without harm is said there.
    """

    def __init__(self, entity: Entity, mapping: EntityMapping, zone: str, notes: Notes) -> None:
        self.name = entity.name
        self._entity = entity
        self._mapping = mapping
        self._zone = zone
        self._notes = notes
        self._names: list[str] = []
        self._places: dict[str, int] = {}
        self._taken: dict[str, Between | list[str]] = {}
        # The columns of the contract that come out, once the header is known.
        self.columns: tuple[str, ...] = ()

    def missing(self, names: Sequence[str]) -> list[str]:
        taken, _ = self._matched(names)
        columns = self._columns(taken)
        return [name for name in self._entity.required if name not in columns]

    def known(self, names: Sequence[str]) -> int:
        taken, _ = self._matched(names)
        return len(taken)

    def header(self, source: str, names: Sequence[str]) -> Header:
        """Names of the needed columns are those of the file.

        Raises:
            TutorqError: a required column is missing, or the one from which it is to be taken.
        """
        self._names = distinct(names)
        # The first of a name counts; the others are unknown columns.
        self._places = _places(names)
        self._taken, missing = self._matched(names)
        for name, absent in missing.items():
            self._say_missing(source, name, absent)
        self.columns = self._columns(self._taken)
        if absent := [name for name in self._entity.required if name not in self.columns]:
            which, them = ("columns", "them") if len(absent) > 1 else ("column", "it")
            raise TutorqError(
                f"{source}: required {which} missing: {', '.join(absent)}; the mapping says nothing of {them}"
            )
        needed = self._needed()
        required = [name for name in (self._entity.key, *self._entity.required) if name in self._taken]
        return Header(
            positions={self._names[place]: place for place in sorted(needed)},
            unknown=[name.strip() or NO_NAME for place, name in enumerate(names) if place not in needed],
            names=self._names,
            required=tuple(self._places[normal(one)] for name in required for one in names_of(self._taken[name])),
        )

    def column(self, name: str) -> Column:
        """Of a column that is taken as it is, the contract's; of any other, a text."""
        taken = [ours for ours, given in self._taken.items() if list(map(normal, names_of(given))) == [normal(name)]]
        return self._entity.column(taken[0]) if len(taken) == 1 else Column(name, Kind.TEXT, "text")

    def _matched(self, names: Sequence[str]) -> tuple[dict[str, Between | list[str]], dict[str, list[str]]]:
        """By columns of the contract: what they are taken from, and what is not there to be taken."""
        places = _places(names)
        taken: dict[str, Between | list[str]] = {}
        missing: dict[str, list[str]] = {}
        for name, given in self._mapping.columns.items():
            if absent := [one for one in names_of(given) if normal(one) not in places]:
                missing[name] = absent
            else:
                taken[name] = given
        # A column of the contract's own name is itself, unless it is taken for another one.
        used = {normal(one) for given in taken.values() if not isinstance(given, Between) for one in given}
        for column in self._entity.columns:
            if column.name not in taken and normal(column.name) in places.keys() - used:
                taken[column.name] = [column.name]
                missing.pop(column.name, None)
        return taken, missing

    def _columns(self, taken: Mapping[str, Between | list[str]]) -> tuple[str, ...]:
        given = {*taken, *self._mapping.defaults, *(name for rule in self._mapping.rules for name in rule.sets)}
        if self._mapping.group_lessons:
            given.add("lesson_id")
        return tuple(column.name for column in self._entity.columns if column.name in given)

    def _say_missing(self, source: str, column: str, missing: list[str]) -> None:
        which = ", ".join(f"“{name}”" for name in missing)
        nearest = difflib.get_close_matches(missing[0], self._names, n=1)
        hint = f"; the nearest is “{nearest[0]}”" if nearest else f"; it has {', '.join(filter(None, self._names))}"
        said = f"the mapping takes {column} from {which}, which the file does not have"
        if self._entity.column(column).is_required and column not in self._columns({}):
            raise TutorqError(f"{source}: {said}{hint}")
        self._notes.add("left out", f"{said}{hint}")

    def _needed(self) -> set[int]:
        """Places of all columns of the file that anything is taken from."""
        names = [one for given in self._taken.values() for one in names_of(given)]
        names += [name for rule in self._mapping.rules for name in rule.when]
        names += [name for whose in self._mapping.whose.values() for name in [*whose.tutor, *whose.student]]
        if self._mapping.moves and self._mapping.moves.source:
            names.append(self._mapping.moves.source)
        return {self._places[normal(name)] for name in names if normal(name) in self._places}

    def apply(self, raw: RawBatch) -> RawBatch:
        """Columns of the file as columns of the contract."""
        count = len(raw.lines)
        cells: dict[str, ArrowColumn] = {}
        for column in self.columns:
            given = self._taken.get(column)
            if given is None:
                texts: ArrowColumn = pa.nulls(count, pa.string())
            elif isinstance(given, Between):
                texts = self._minutes(raw, given)
            else:
                texts = self._joined([self._column(raw, name) for name in given])
            kind = self._entity.column(column).kind
            if kind is Kind.TIME and not isinstance(given, Between | None) and len(given) > 1:
                texts = self._without_halves(texts, [self._column(raw, name) for name in given])
            if kind in (Kind.TIME, Kind.DATE):
                texts = self._times(texts)
            elif kind in (Kind.NUMBER, Kind.INTEGER) and self._mapping.decimal == ",":
                texts = _with_point(texts)
            if column in self._mapping.whose:
                texts = self._role(raw, column, texts)
            if column in self._mapping.values:
                texts = self._meant(column, texts)
            cells[column] = texts
        self._rule(raw, cells)
        for column, default in self._mapping.defaults.items():
            cells[column] = compute.fill_null(_marks_are_null(cells[column]), default)
        if self._mapping.group_lessons:
            _split_lessons(cells)
        return replace(raw, columns=cells)

    def cells(self, raw: RawBatch, name: str) -> list[str | None]:
        """A column of the file as it is; nothing, if the file does not have it."""
        return self._column(raw, name).to_pylist() if normal(name) in self._places else [None] * len(raw.lines)

    def _column(self, raw: RawBatch, name: str) -> ArrowColumn:
        return raw.columns[self._names[self._places[normal(name)]]]

    def _joined(self, parts: list[ArrowColumn]) -> ArrowColumn:
        if len(parts) == 1:
            return parts[0]
        trimmed = [compute.utf8_trim_whitespace(part) for part in parts]
        joined: ArrowColumn = compute.binary_join_element_wise(*trimmed, " ", null_handling="skip")
        return joined

    def _without_halves(self, texts: ArrowColumn, parts: list[ArrowColumn]) -> ArrowColumn:
        """A day without its clock is no time: it is made unreadable, or it would be midnight."""
        blanks = [compute.is_null(_blank_is_null(part)) for part in parts]
        is_whole = compute.invert(functools.reduce(compute.or_, blanks))
        is_fine = compute.or_(is_whole, functools.reduce(compute.and_, blanks))
        marked: ArrowColumn = compute.if_else(is_fine, texts, compute.binary_join_element_wise(texts, "?", " "))
        return marked

    def _times(self, texts: ArrowColumn) -> ArrowColumn:
        """In ISO 8601 where a form fits; what fits none stays, to be refused by whoever reads times."""
        for name, offset in self._mapping.zones.items():
            texts = compute.replace_substring_regex(texts, _BEFORE_ZONE + re.escape(name) + r"\s*$", rf"\1\2{offset}")
        for form in self._mapping.dates:
            texts = read_form(texts, form)
        return texts

    def _minutes(self, raw: RawBatch, between: Between) -> ArrowColumn:
        start, end = (
            read_times(self._times(self._column(raw, name)), self._zone) for name in (between.start, between.end)
        )
        length = compute.subtract(end.cast(pa.int64()), start.cast(pa.int64()))
        minutes: ArrowColumn = compute.cast(compute.divide(length, _MICROSECONDS_A_MINUTE), pa.string())
        return minutes

    def _meant(self, column: str, texts: ArrowColumn) -> ArrowColumn:
        meanings = {loose(word): meaning for word, meaning in self._mapping.values[column].items()}
        return _by_distinct(texts, lambda text: meanings.get(loose(text), text), pa.string())

    def _role(self, raw: RawBatch, column: str, texts: ArrowColumn) -> ArrowColumn:
        """`tutor` or `student` where the same stands in one of their columns; what names neither stays as it is."""
        whose = self._mapping.whose[column]
        given = [None if text is None else text.strip().casefold() for text in texts.to_pylist()]
        found: list[str | None] = list(texts.to_pylist())
        for role, names in (("student", whose.student), ("tutor", whose.tutor)):
            for name in names:
                if normal(name) not in self._places:
                    continue
                for row, other in enumerate(self._column(raw, name).to_pylist()):
                    if given[row] and other is not None and other.strip().casefold() == given[row]:
                        found[row] = role
        return pa.array(found, pa.string())

    def _rule(self, raw: RawBatch, cells: dict[str, ArrowColumn]) -> None:
        """The first rule that fits a row sets its cells."""
        if not self._mapping.rules:
            return
        count = len(raw.lines)
        is_past: ArrowColumn | None = None
        if any(rule.is_past is not None for rule in self._mapping.rules):
            times = read_times(cells["scheduled_time"], self._zone)
            is_past = compute.less_equal(times, pa.scalar(datetime.now(UTC), pa.timestamp("us", "UTC")))
        is_open: ArrowColumn = pa.array([True] * count, pa.bool_())
        for rule in self._mapping.rules:
            fits = compute.and_(is_open, self._fits(raw, rule, count))
            if rule.is_past is not None and is_past is not None:
                fits = compute.and_(fits, compute.equal(compute.fill_null(is_past, not rule.is_past), rule.is_past))
            for column, value in rule.sets.items():
                cells[column] = compute.if_else(fits, value, cells[column])
            is_open = compute.and_not(is_open, fits)

    def _fits(self, raw: RawBatch, rule: Rule, count: int) -> ArrowColumn:
        fits: ArrowColumn = pa.array([True] * count, pa.bool_())
        for name, values in rule.when.items():
            if normal(name) not in self._places:
                # Exports of other plans or years lack a column: then nothing of it holds.
                return pa.array([False] * count, pa.bool_())
            wanted = {loose(value) for value in values}
            texts = compute.fill_null(self._column(raw, name), "")
            fits = compute.and_(fits, _by_distinct(texts, partial(_is_wanted, wanted), pa.bool_()))
        return fits


def names_of(given: Between | list[str]) -> list[str]:
    """The columns of the file from which one is taken."""
    return [given.start, given.end] if isinstance(given, Between) else given


def _places(names: Sequence[str]) -> dict[str, int]:
    places: dict[str, int] = {}
    for place, name in enumerate(names):
        places.setdefault(normal(name), place)
    return places


def _split_lessons(cells: dict[str, ArrowColumn]) -> None:
    """One session per student of a lesson; a cell that is missing stays so, to be refused."""
    lesson, student = (_blank_is_null(cells[name]) for name in ("session_id", "student_id"))
    cells["lesson_id"] = compute.coalesce(_blank_is_null(cells["lesson_id"]), lesson)
    cells["session_id"] = compute.binary_join_element_wise(lesson, student, "/")


def _is_wanted(wanted: set[str], text: str) -> bool:
    is_blank = not text.strip()
    return "" in wanted if is_blank else "*" in wanted or loose(text) in wanted


def _by_distinct(texts: ArrowColumn, convert: Callable[[str], Any], kind: pa.DataType) -> ArrowColumn:
    """A function of each text, asked once per distinct one."""
    encoded = texts.dictionary_encode()
    distinct: list[Any] = encoded.dictionary.to_pylist()
    converted = pa.array([convert(text) for text in distinct], kind)
    return converted.take(encoded.indices)


def _blank_is_null(texts: ArrowColumn) -> ArrowColumn:
    trimmed = compute.utf8_trim_whitespace(texts)
    filled: ArrowColumn = compute.if_else(compute.equal(trimmed, ""), None, trimmed)
    return filled


def _marks_are_null(texts: ArrowColumn) -> ArrowColumn:
    """Also what programs write where there is nothing."""
    trimmed = _blank_is_null(texts)
    filled: ArrowColumn = compute.if_else(compute.is_in(trimmed, pa.array(sorted(EMPTY_MARKS))), None, trimmed)
    return filled


def _with_point(texts: ArrowColumn) -> ArrowColumn:
    """`1.234,5` as `1234.5`."""
    is_grouped = compute.fill_null(compute.match_substring_regex(texts, _GROUPED), False)
    whole = compute.if_else(is_grouped, compute.replace_substring(texts, ".", ""), texts)
    pointed: ArrowColumn = compute.replace_substring(whole, ",", ".")
    return pointed


def read_form(texts: ArrowColumn, form: str) -> ArrowColumn:
    """ISO 8601 where the text is of this form; else as it is."""
    import pandas as pd

    trimmed = texts.to_pandas().str.strip()
    # To pandas these words are times, whatever the form.
    trimmed = trimmed.mask(trimmed.str.lower().isin(["today", "now"]))
    times: Any
    if form in NUMBER_FORMS:
        numbers: Any = pd.to_numeric(trimmed, errors="coerce")
        unit, origin = _UNITS[form]
        times = pd.to_datetime(numbers, unit=unit, origin=origin, errors="coerce", utc=origin == "unix").dt.round("ms")
    else:
        times = pd.to_datetime(trimmed, format=form, errors="coerce", utc="%z" in form)
    is_zoned = times.dt.tz is not None
    moments = pa.array(times, pa.timestamp("us", "UTC" if is_zoned else None), from_pandas=True)
    iso = compute.strftime(moments.cast(pa.timestamp("us")), format="%Y-%m-%dT%H:%M:%S")
    iso = compute.replace_substring(iso, ".000000", "")
    if is_zoned:
        iso = compute.binary_join_element_wise(iso, "Z", "")
    read: ArrowColumn = compute.coalesce(iso, texts)
    return read
