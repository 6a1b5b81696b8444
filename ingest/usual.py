"""Sessions as they are usually posted, read value by value, in a hundredth of the time that the parser of files needs
to start.

Only what needs no cleaning is read here: values of the right JSON type, within their limits, times with an offset.
Everything else, right or wrong, is left to the parser, which gives the same values for what is read here.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg.pgproto.pgproto

from ingest.contract import Column, Entity, Kind
from ingest.ids import is_uuid, uuid5_hex
from ingest.times import FIRST_YEAR, LAST_YEAR, ZONED_TIME_PATTERN

# A subclass of UUID that is made several times faster.
FAST_UUID: type[UUID] = asyncpg.pgproto.pgproto.UUID

LARGEST_INTEGER_ID = 1 << 63

_PLAIN_ID = re.compile(r"[!-~]+")
_ZONED_TIME = re.compile(ZONED_TIME_PATTERN, re.ASCII)
_PLAIN_NUMBER = re.compile(r"-?\d{1,6}\.\d{1,17}", re.ASCII)

Read = Callable[[Any], Any]


class UnusualError(ValueError):
    """The value is none that is read here."""


class UsualReader:
    """Reads posted objects of one entity."""

    def __init__(self, entity: Entity) -> None:
        self._key = entity.key if entity.has_external_id else None
        self._references = {column.name: str(column.references) for column in entity.references}
        self._columns = [(column.name, column.is_required, _reader(column)) for column in entity.columns]

    def read(self, body: Mapping[str, object]) -> dict[str, Any] | None:
        """The values by column, with `external_id` and the people as `rows.check` has them; None if it is unusual.

        What is in the object beside its columns is not looked at.
        """
        values: dict[str, Any] = {}
        try:
            for name, is_required, read in self._columns:
                value = body.get(name)
                if value is not None:
                    values[name] = read(value)
                elif is_required:
                    return None
                else:
                    values[name] = None
        except (ValueError, OverflowError):
            return None
        if self._key is not None:
            values[self._key], values["external_id"] = values[self._key]
        for name, table in self._references.items():
            values[table] = values[name]
            values[name] = values[name][0]
        return values


def _reader(column: Column) -> Read:
    kind = column.kind
    if kind is Kind.ID:
        return _id_reader(column.longest)
    if kind is Kind.TEXT:
        return _text_reader(column.longest)
    if kind is Kind.CHOICE:
        return _choice_reader(column.allowed)
    if kind is Kind.INTEGER:
        return _integer_reader(column.low, column.high)
    if kind is Kind.NUMBER:
        return _number_reader(column.low, column.high)
    assert kind is Kind.TIME, f"{column.name} is of a kind that is not posted"
    return _time


def _id_reader(longest: int) -> Read:
    def read(value: object) -> tuple[UUID, str | None]:
        if type(value) is int and abs(value) < LARGEST_INTEGER_ID:
            value = repr(value)
        if type(value) is not str or len(value) > longest or not _PLAIN_ID.fullmatch(value):
            raise UnusualError
        return (FAST_UUID(value), None) if is_uuid(value) else (FAST_UUID(uuid5_hex(value)), value)

    return read


def _text_reader(longest: int) -> Read:
    def read(value: object) -> str:
        # Of all white space and control characters only the blank is printable.
        if type(value) is not str or not value.isprintable() or not 0 < len(value) <= longest:
            raise UnusualError
        if value[0] == " " or value[-1] == " ":
            raise UnusualError
        return value

    return read


def _choice_reader(allowed: tuple[str, ...]) -> Read:
    def read(value: object) -> str:
        if type(value) is not str or value not in allowed:
            raise UnusualError
        return value

    return read


def _integer_reader(low: int, high: int) -> Read:
    def read(value: object) -> int:
        if type(value) is not int or not low <= value <= high:
            raise UnusualError
        return value

    return read


def _number_reader(low: int, high: int) -> Read:
    def read(value: object) -> Decimal:
        if type(value) not in (int, float) or not low <= value <= high:  # type: ignore[operator]
            raise UnusualError
        text = repr(float(value))  # type: ignore[arg-type]
        if not _PLAIN_NUMBER.fullmatch(text):
            raise UnusualError
        return Decimal(text)

    return read


def _time(value: object) -> datetime:
    if type(value) is not str or not _ZONED_TIME.fullmatch(value):
        raise UnusualError
    time = datetime.fromisoformat(value).astimezone(UTC)
    if not FIRST_YEAR <= time.year <= LAST_YEAR:
        raise UnusualError
    return time
