"""Posted sessions as checked rows, by the rules of landing files.

A session that needs no cleaning is read by its model (posts.py). The values of any other are turned into the text that
would stand in a file, and read by the parser of files: whole batches at a time, because it takes long to start.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import pyarrow as pa
from pydantic import ValidationError

from ingest.arrow import ArrowColumn, compute
from ingest.batches import RawBatch, text_array
from ingest.contract import LONGEST_ID, RESCHEDULES, SESSIONS, STATUSES, Column, Entity, Kind
from ingest.merge_posts import PostMergeSql
from ingest.notes import Notes
from ingest.parser import BatchParser, TypedBatch
from ingest.posts import EARLIEST_HOURS, FAST_UUID, LARGEST_NUMBER, LATEST_HOURS, EntityId, SessionPost
from ingest.spelling import word
from ingest.times import FIRST_YEAR, LAST_YEAR

INFO = "reschedule_info"

SESSION_SQL = PostMergeSql(SESSIONS, list(SESSIONS.columns))
RESCHEDULE_SQL = PostMergeSql(RESCHEDULES, list(RESCHEDULES.columns))
# For an administrator who overrides what is stored.
SESSION_OVERRIDE_SQL = PostMergeSql(SESSIONS, list(SESSIONS.columns), overrides=True)
RESCHEDULE_OVERRIDE_SQL = PostMergeSql(RESCHEDULES, list(RESCHEDULES.columns), overrides=True)
# What a row has of either after its line, in order.
_session_values, _reschedule_values = (itemgetter(*sql.staged_names[1:]) for sql in (SESSION_SQL, RESCHEDULE_SQL))

# A reschedule as it is posted: inside its session, whose id and version are its own.
POSTED_RESCHEDULE = replace(
    RESCHEDULES,
    columns=(
        *(column for column in RESCHEDULES.columns if column.name not in ("session_id", "updated_at")),
        Column("cancelled_at", Kind.TIME, "timestamptz"),
        Column("hours_before_session", Kind.NUMBER, "double precision", low=LATEST_HOURS, high=EARLIEST_HOURS),
    ),
)

_UTC = pa.timestamp("us", "UTC")
_JSON_TYPES = {Kind.INTEGER: "a number", Kind.NUMBER: "a number", Kind.BOOLEAN: "true or false"}


class Row(NamedTuple):
    """A session as `raw` takes it: values in the order of `PostMergeSql.staged_names` after the line."""

    session: tuple[Any, ...]
    reschedule: tuple[Any, ...] | None
    tutor: EntityId
    student: EntityId

    @property
    def session_id(self) -> UUID:
        key: UUID = self.session[0]
        return key


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one field; `field` is its path in the body."""

    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with a posted session, at most one entry per field."""

    errors: list[Fault]

    @property
    def reason(self) -> str:
        """All of it, as the quarantine tells it."""
        return "; ".join(f"{error.field}: {error.message}" for error in self.errors)


def check(bodies: Sequence[object], timezone: str) -> list[Row | Faults]:
    """Each posted session as a row, or what is wrong with it, in their order.

    Args:
        bodies: JSON values; anything but an object is at fault.
        timezone: zone in which times without an offset are read.
    """
    rows: list[Row | Faults | None] = [read_by_model(body) for body in bodies]
    left = [place for place, row in enumerate(rows) if row is None]
    if left:
        parsed = read_by_parser([bodies[place] for place in left], timezone)
        for place, row in zip(left, parsed, strict=True):
            rows[place] = row
    return [row for row in rows if row is not None]


def read_by_model(body: object) -> Row | None:
    """A session that needs no cleaning as a row; None if it has to go to the parser, which says what is wrong."""
    try:
        post = SessionPost.model_validate(body)
    except ValidationError:
        return None
    if post.reschedule_info is None and post.status == "rescheduled":
        return None
    for first, last in SESSIONS.spans:
        begins, ends = getattr(post, first), getattr(post, last)
        if begins is not None and ends is not None and begins > ends:
            return None
    key, external = post.session_id
    session = {
        **vars(post),
        "session_id": key,
        "external_id": external,
        "tutor_id": post.tutor_id[0],
        "student_id": post.student_id[0],
        "tutors": post.tutor_id,
        "students": post.student_id,
    }
    row = _row(session, None if post.reschedule_info is None else vars(post.reschedule_info))
    return row if isinstance(row, Row) else None


def read_by_parser(bodies: Sequence[object], timezone: str) -> list[Row | Faults]:
    """As `check`, all of them by the parser of files."""
    found: dict[int, dict[str, str]] = {}
    objects: dict[int, Mapping[str, object]] = {}
    infos: dict[int, Mapping[str, object]] = {}
    for place, body in enumerate(bodies):
        if not isinstance(body, dict):
            found[place] = {"body": "is not a JSON object"}
            continue
        objects[place] = body
        info = body.get(INFO)
        if isinstance(info, dict):
            infos[place] = info
        elif info is not None:
            found.setdefault(place, {})[INFO] = "is not a JSON object"
        elif _is_rescheduled(body):
            found.setdefault(place, {})[INFO] = "is required when status is rescheduled"
    sessions = _typed(SESSIONS, objects, "", {INFO}, timezone, found)
    reschedules = _typed(POSTED_RESCHEDULE, infos, f"{INFO}.", set(), timezone, found) if infos else {}
    rows: list[Row | Faults] = []
    for place in range(len(bodies)):
        row = _row(sessions[place], reschedules.get(place)) if place not in found else found[place]
        rows.append(row if isinstance(row, Row) else Faults([Fault(name, message) for name, message in row.items()]))
    return rows


def delivered_id(body: object) -> str | None:
    """The session's id as its sender knows it, if there is one."""
    value = body.get("session_id") if isinstance(body, dict) else None
    text = _text(SESSIONS.columns[0], value, 0, {})
    return None if text is None else text.strip()[:LONGEST_ID]


def _is_rescheduled(body: Mapping[str, object]) -> bool:
    status = body.get("status")
    return isinstance(status, str) and word(status, STATUSES) == "rescheduled"


def _typed(
    entity: Entity,
    bodies: Mapping[int, Mapping[str, object]],
    prefix: str,
    others: set[str],
    timezone: str,
    found: dict[int, dict[str, str]],
) -> dict[int, dict[str, Any]]:
    """The values of the good bodies by place; faults of the others are added to `found`, names with `prefix`."""
    places = list(bodies)
    problems: dict[int, list[str]] = {}
    names = {column.name for column in entity.columns}
    known = names | others
    for at, body in enumerate(bodies.values()):
        if not body.keys() <= known:
            problems[at] = [f"{name[:60]}: there is no such field" for name in body if name not in known]
    columns: dict[str, ArrowColumn] = {}
    for column in entity.columns:
        cells = [_text(column, body.get(column.name), at, problems) for at, body in enumerate(bodies.values())]
        if any(cell is not None for cell in cells) or column.is_required:
            columns[column.name] = text_array(cells, column.name, problems)
    raw = RawBatch(np.array(places, dtype=np.int64), columns, lambda at: bodies[places[at]], problems)
    batch = BatchParser(entity, timezone, Notes(), is_strict=True).parse(raw)
    for at, faults in batch.faults.items():
        of_body = found.setdefault(places[at], {})
        for fault in faults:
            name, _, message = fault.partition(": ")
            of_body.setdefault(f"{prefix}{name}", message)
    return _by_place(entity, batch)


def _by_place(entity: Entity, batch: TypedBatch) -> dict[int, dict[str, Any]]:
    """Typed rows by their line, values as asyncpg takes them."""
    kinds = {column.name: column.kind for column in entity.columns}
    values: dict[str, Iterable[Any]] = {}
    for name in batch.rows.column_names:
        column: Any = batch.rows.column(name)
        kind = kinds.get(name)
        if kind is Kind.TIME:
            values[name] = compute.cast(column, _UTC).to_pylist()
        elif kind is Kind.ID:
            values[name] = map(FAST_UUID, column.to_pylist())
        elif kind is Kind.NUMBER:
            # By way of the shortest text, as COPY gets it: the float itself would be rounded differently.
            values[name] = [None if value is None else Decimal(repr(value)) for value in column.to_pylist()]
        else:
            values[name] = column.to_pylist()
    externals = {
        table: {FAST_UUID(key): external for key, external in pairs if external}
        for table, pairs in batch.people.items()
    }
    names = list(values)
    rows: dict[int, dict[str, Any]] = {}
    for cells in zip(*values.values(), strict=True):
        row = dict(zip(names, cells, strict=True))
        for column in entity.references:
            row[str(column.references)] = (row[column.name], externals[str(column.references)].get(row[column.name]))
        rows[row["line"]] = row
    return rows


def _text(column: Column, value: object, at: int, problems: dict[int, list[str]]) -> str | None:
    """A JSON value as the text that would stand in a file."""
    if value is None or isinstance(value, str):
        return value
    if column.kind is Kind.BOOLEAN and isinstance(value, bool):
        return "true" if value else "false"
    is_number = column.kind in (Kind.INTEGER, Kind.NUMBER)
    if column.kind is Kind.BOOLEAN or isinstance(value, bool) or not isinstance(value, int | float):
        fault = f"must be {_JSON_TYPES.get(column.kind, 'a string')}"
    elif not is_number and column.kind is not Kind.ID:
        fault = "must be a string"
    elif abs(value) >= LARGEST_NUMBER:
        fault = "is too large"
    elif is_number:
        return repr(value)
    elif value == int(value):
        # JSON has one kind of number: 12.0 is 12.
        return repr(int(value))
    else:
        fault = "must be a string"
    problems.setdefault(at, []).append(f"{column.name}: {fault}")
    return None


def _row(session: Mapping[str, Any], reschedule: Mapping[str, Any] | None) -> Row | dict[str, str]:
    """A row, or what is wrong with its parts as a whole."""
    values = _session_values(session)
    if reschedule is None:
        return Row(values, None, session["tutors"], session["students"])
    requested_at, alias = reschedule["requested_at"], reschedule["cancelled_at"]
    if requested_at is not None and alias is not None and requested_at != alias:
        return {f"{INFO}.cancelled_at": "differs from requested_at, of which it is another name"}
    requested_at = requested_at or alias
    hours = reschedule["hours_before_session"]
    if requested_at is None and hours is not None:
        moved: datetime = reschedule["original_time"] or session["scheduled_time"]
        requested_at = moved - timedelta(hours=float(hours))
        if not FIRST_YEAR <= requested_at.year <= LAST_YEAR:
            return {f"{INFO}.hours_before_session": f"leads to a time outside {FIRST_YEAR} to {LAST_YEAR}"}
    whole = {
        **reschedule,
        "session_id": session["session_id"],
        "requested_at": requested_at,
        # The version of the session is that of all that was posted with it.
        "updated_at": session["updated_at"],
    }
    return Row(values, _reschedule_values(whole), session["tutors"], session["students"])
