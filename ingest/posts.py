"""A posted session: these models describe its JSON, and read it.

They read only what needs no cleaning: values of the right JSON type, within their limits, times with an offset. All
else, right or wrong, goes to the parser of files (rows.py). The parser gives the same values for what is read here, but
takes a hundred times as long to start.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any
from uuid import UUID

import asyncpg.pgproto.pgproto
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from ingest.contract import (
    LONGEST_ID,
    LONGEST_NAME,
    LONGEST_TEXT,
    NO_NUL,
    NOT_BLANK,
    SESSIONS,
    Initiator,
    Status,
)
from ingest.ids import is_odd, is_uuid, uuid5_hex
from ingest.spelling import EMPTY_MARKS
from ingest.times import FIRST_YEAR, LAST_YEAR, ZONED_TIME_PATTERN, newest_version

# A subclass of UUID that is made several times faster.
FAST_UUID: type[UUID] = asyncpg.pgproto.pgproto.UUID

# Beyond this no number is an id, and Python refuses to write some of them.
LARGEST_NUMBER = 10**30
# Ten years ahead, and one behind: whoever asks later for a change does not reschedule.
EARLIEST_HOURS, LATEST_HOURS = 87_600, -8_760
DURATION, RATING = SESSIONS.column("duration_minutes"), SESSIONS.column("rating")

CACHED_PEOPLE = 20_000
_LARGEST_INTEGER_ID = 1 << 63
_PLAIN_ID = re.compile(r"[!-~]+")
_ZONED_TIME = re.compile(ZONED_TIME_PATTERN, re.ASCII)
_PLAIN_NUMBER = re.compile(r"-?\d{1,6}\.\d{1,17}", re.ASCII)

# A session, a tutor or a student: the id, and the one delivered if it was not a UUID.
EntityId = tuple[UUID, str | None]


class NeedsParserError(ValueError):
    """The value is left to the parser of files."""


@dataclass(frozen=True)
class _ReadFrom:
    """Annotates a field that is sent as `sent`, by which it is described and checked, and then read by `read`."""

    sent: Any
    read: Callable[[Any], Any]

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.read, handler.generate_schema(self.sent))


def _read_id(value: str | int) -> EntityId:
    if isinstance(value, int):
        if abs(value) >= _LARGEST_INTEGER_ID:
            raise NeedsParserError
        value = repr(value)
    if not _PLAIN_ID.fullmatch(value) or is_odd(value):
        raise NeedsParserError
    return (FAST_UUID(value), None) if is_uuid(value) else (FAST_UUID(uuid5_hex(value)), value)


def _read_time(value: str) -> datetime:
    if not _ZONED_TIME.fullmatch(value):
        raise NeedsParserError
    try:
        time = datetime.fromisoformat(value).astimezone(UTC)
    except OverflowError as error:
        raise NeedsParserError from error
    if not FIRST_YEAR <= time.year <= LAST_YEAR:
        raise NeedsParserError
    return time


def _read_version(value: str) -> datetime:
    time = _read_time(value)
    if time > newest_version():
        raise NeedsParserError
    return time


def _read_number(value: float) -> Decimal:
    text = repr(value)
    if not _PLAIN_NUMBER.fullmatch(text):
        raise NeedsParserError
    return Decimal(text)


def _read_text(value: str) -> str:
    # Of all white space and control characters only the blank is printable.
    if not value or not value.isprintable() or value[0] == " " or value[-1] == " " or value in EMPTY_MARKS:
        raise NeedsParserError
    return value


_SentId = (
    Annotated[str, Field(max_length=LONGEST_ID, pattern=NOT_BLANK)]
    | Annotated[int, Field(gt=-LARGEST_NUMBER, lt=LARGEST_NUMBER)]
)
_ID_HELP = Field(description="A UUID, or any other id.", examples=["S-1042"])
Id = Annotated[EntityId, _ReadFrom(_SentId, _read_id), _ID_HELP]
# A tutor or student, who comes again: two ids of the three that every post has.
PersonId = Annotated[EntityId, _ReadFrom(_SentId, lru_cache(CACHED_PEOPLE, typed=True)(_read_id)), _ID_HELP]
TIME_HELP = "ISO 8601; without an offset it is read in the reporting zone."
_SentTime = Annotated[
    str,
    Field(
        json_schema_extra={"format": "date-time"},
        # As ingest.times has it: FIRST_YEAR to LAST_YEAR.
        pattern=r"^(19[7-9]\d|20\d\d|2100)-",
        examples=["2026-01-31T15:00:00Z"],
    ),
]
Time = Annotated[datetime, _ReadFrom(_SentTime, _read_time)]
Version = Annotated[datetime, _ReadFrom(_SentTime, _read_version)]
Name = Annotated[str, Field(max_length=LONGEST_NAME, pattern=NO_NUL), AfterValidator(_read_text)]
LongText = Annotated[str, Field(max_length=LONGEST_TEXT, pattern=NO_NUL), AfterValidator(_read_text)]
Rating = Annotated[Decimal, _ReadFrom(Annotated[float, Field(ge=RATING.low, le=RATING.high)], _read_number)]
Hours = Annotated[Decimal, _ReadFrom(Annotated[float, Field(ge=LATEST_HOURS, le=EARLIEST_HOURS)], _read_number)]


class RescheduleInfo(BaseModel):
    """Who moved or called off the session, and when."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        # Not `anyOf`, here and below: generators of clients take it for the whole of a model, and drop that.
        json_schema_extra={
            "if": {"properties": {"requested_at": {"type": "string"}}, "required": ["requested_at"]},
            "then": {"properties": {"cancelled_at": {"type": "null"}}},
        },
    )

    initiator: Initiator
    original_time: Time | None = Field(default=None, description=f"Original time of the session. {TIME_HELP}")
    new_time: Time | None = Field(default=None, description=TIME_HELP)
    requested_at: Time | None = Field(default=None, description=f"When the change was requested. {TIME_HELP}")
    cancelled_at: Time | None = Field(default=None, description="Another name of requested_at; send one of them.")
    reason_code: Name | None = Field(default=None, examples=["illness"])
    reason: LongText | None = None
    hours_before_session: Hours | None = Field(
        default=None,
        description="Replaces a missing requested_at: hours before original_time, or before scheduled_time.",
        examples=[5.5],
    )


class SessionPost(BaseModel):
    """A complete session: a missing field means unknown. The newest updated_at wins, in any order of arrival."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "if": {"properties": {"status": {"const": "rescheduled"}}, "required": ["status"]},
            "then": {"properties": {"reschedule_info": {"type": "object"}}, "required": ["reschedule_info"]},
        },
    )

    session_id: Id
    tutor_id: PersonId = Field(description="An unknown tutor is added, without a name.", examples=["T-17"])
    student_id: PersonId = Field(description="An unknown student is added, without a name.", examples=["P-230"])
    scheduled_time: Time = Field(description=TIME_HELP)
    status: Status
    subject: Name | None = Field(default=None, examples=["maths"])
    booked_at: Time | None = None
    started_at: Time | None = Field(default=None, description="When the lesson actually began.")
    completed_time: Time | None = Field(default=None, description="When it ended; not before started_at.")
    cancelled_at: Time | None = Field(default=None, description="When it was called off.")
    duration_minutes: int | None = Field(default=None, ge=DURATION.low, le=DURATION.high, examples=[60])
    rating: Rating | None = Field(default=None, examples=[4.5])
    initiator: Initiator | None = Field(default=None, description="Who caused a cancellation or a no-show.")
    reason_code: Name | None = Field(
        default=None, description="Why it was cancelled or missed.", examples=["power_cut"]
    )
    technical_issue: bool | None = Field(
        default=None, description="Whether technical problems disturbed the lesson; null if unknown."
    )
    lesson_id: Name | None = Field(
        default=None,
        description="Shared by all sessions of one lesson with several students; the lesson counts once for its tutor.",
    )
    updated_at: Version | None = Field(
        default=None,
        description="Version of the content, as the sender states it; at most a day ahead of the server's clock. "
        "Without it, a correction may lose against what is stored.",
    )
    reschedule_info: RescheduleInfo | None = Field(
        default=None,
        description="One move of the session; required if status is rescheduled. A move with another requested_at "
        "(else original_time, else new_time) is stored beside it. Its version is updated_at of the "
        "session. With hours_before_session, also send original_time; otherwise it becomes another move "
        "once the session has a new time.",
    )
