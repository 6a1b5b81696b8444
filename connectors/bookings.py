"""What booking tools tell, as rows of the contract: a booking that took the place of another one is the same session.

Polls (psycopg) and webhooks (asyncpg) use the same SQL; `{connector}` and `{given}` are its parameters.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from core.erased import ErasedIds, IdKind
from ingest.contract import SESSIONS
from ingest.ids import entity_uuid

Cell = str | int | None
Initiator = Literal["tutor", "student"]

# A version has to be newer than the one that it replaces.
TICK = timedelta(microseconds=1)
CALLED_OFF = ("cancelled", "rescheduled")

# Before anything is written of a booking. As a JSON array: booking, earlier, requested_at, original_time.
REMEMBER = """
insert into raw.moved_bookings (connector, booking, earlier, requested_at, original_time)
select {connector}, booking, min(earlier), min(requested_at), min(original_time)
from jsonb_to_recordset({given}::text::jsonb)
    as move (booking text, earlier text, requested_at timestamptz, original_time timestamptz)
where booking <> earlier
group by booking
on conflict (connector, booking) do update set
    requested_at = coalesce(moved_bookings.requested_at, excluded.requested_at),
    original_time = coalesce(moved_bookings.original_time, excluded.original_time)
"""
# As a JSON array: ids of bookings. The first booking of each, whether another one took its place, and its own move.
PLACES = """
with recursive steps as (
    select booking as asked, booking, 0 as depth from jsonb_array_elements_text({given}::text::jsonb) as given (booking)
    union all
    select steps.asked, moves.earlier, steps.depth + 1
    from steps
    inner join raw.moved_bookings as moves on moves.connector = {connector} and moves.booking = steps.booking
    where steps.depth < 100
)

select distinct on (steps.asked)
    steps.asked,
    steps.booking as first,
    exists (
        select from raw.moved_bookings as later where later.connector = {connector} and later.earlier = steps.asked
    ) as is_replaced,
    own.requested_at,
    own.original_time
from steps
left join raw.moved_bookings as own on own.connector = {connector} and own.booking = steps.asked
order by steps.asked, steps.depth desc
"""
# For an amendment: a stored session as its whole next version, by its id.
STORED = """
select to_jsonb(sessions) - '{{created_at, loaded_at, external_id}}'::text[] || jsonb_build_object(
    'session_id', coalesce(sessions.external_id, sessions.session_id::text),
    'tutor_id', coalesce(tutors.external_id, tutors.tutor_id::text),
    'student_id', coalesce(students.external_id, students.student_id::text)
)
from raw.sessions as sessions
inner join raw.tutors as tutors on sessions.tutor_id = tutors.tutor_id
inner join raw.students as students on sessions.student_id = students.student_id
where sessions.session_id = raw.entity_uuid({given})
"""


@dataclass(frozen=True, slots=True)
class Move:
    """The booking `booking` took the place of `earlier`; without `initiator`, another event tells who moved it."""

    booking: str
    earlier: str
    initiator: Initiator | None = None
    requested_at: str | None = None
    original_time: str | None = None
    new_time: str | None = None
    reason: str | None = None

    @property
    def link(self) -> dict[str, str | None]:
        """As `REMEMBER` takes it."""
        names = ("booking", "earlier", "requested_at", "original_time")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Booking:
    """A booking: columns of the contract's sessions, but for `session_id`, and the move that it tells of."""

    booking: str
    session: Mapping[str, Cell]
    move: Move | None = None
    # It only tells of a move: it is a session though another booking took its place.
    is_old: bool = False


@dataclass(frozen=True, slots=True)
class Amendment:
    """What is said of a booking without the rest of it. Nothing is amended that was called off."""

    booking: str
    at: str
    changes: Mapping[str, Cell]


@dataclass(frozen=True, slots=True)
class Place:
    """A row of `PLACES`."""

    first: str
    is_replaced: bool
    requested_at: datetime | None
    original_time: datetime | None


@dataclass(slots=True)
class Rows:
    """Rows of the contract, by entity."""

    sessions: list[dict[str, Cell]] = field(default_factory=list)
    reschedules: list[dict[str, Cell]] = field(default_factory=list)


def ids_of(bookings: Iterable[Booking]) -> list[str]:
    """What to ask `PLACES` for."""
    asked = [booking.booking for booking in bookings]
    return list(dict.fromkeys(asked + [each.move.booking for each in bookings if each.move]))


def named_hashes(booking: Booking, erased: ErasedIds) -> list[bytes]:
    """Hashes of the people and bookings that a booking names; to be asked for before its move is remembered."""
    move = booking.move
    named: list[tuple[IdKind, Cell]] = [
        ("tutor", booking.session.get("tutor_id")),
        ("student", booking.session.get("student_id")),
        ("session", booking.booking),
        ("session", move.booking if move else None),
        ("session", move.earlier if move else None),
    ]
    hashes = []
    for kind, text in named:
        # What is no id is refused elsewhere.
        with suppress(ValueError):
            hashes.append(erased.hash(kind, entity_uuid(str(text or ""))))
    return hashes


def rows_of(bookings: Sequence[Booking], places: Mapping[str, Place]) -> Rows:
    """Bookings as rows; those in whose place another one came are none, but for the move."""
    rows = Rows()
    for each in bookings:
        place = places[each.booking]
        if each.is_old or not place.is_replaced:
            rows.sessions.append({"session_id": place.first, **each.session})
        if each.move and each.move.initiator:
            rows.reschedules.append(_move(each.move, places[each.move.booking], each.session.get("updated_at")))
    return rows


def post_of(booking: Booking, places: Mapping[str, Place]) -> dict[str, Any] | None:
    """A booking as `POST /api/sessions` takes it; None if another one took its place."""
    rows = rows_of([booking], places)
    if not rows.sessions:
        return None
    post: dict[str, Any] = {name: value for name, value in rows.sessions[0].items() if value is not None}
    for move in rows.reschedules:
        post["reschedule_info"] = {
            name: value
            for name, value in move.items()
            if value is not None and name not in ("session_id", "updated_at")
        }
    return post


def amended(stored: Mapping[str, Any], amendment: Amendment) -> dict[str, Any] | None:
    """The next version of a stored session; None if it was called off, or says so already."""
    if stored["status"] in CALLED_OFF:
        return None
    changes = {name: value for name, value in amendment.changes.items() if not _same(stored.get(name), value)}
    if not changes:
        return None
    versions = [moment(amendment.at)]
    if stored.get("updated_at"):
        versions.append(moment(stored["updated_at"]) + TICK)
    version = max(versions).isoformat()
    whole = {**stored, **amendment.changes, "updated_at": version}
    for first, last in SESSIONS.spans:
        # Stored before such pairs were refused, or of two applications' clocks.
        if whole.get(first) and whole.get(last) and moment(whole[first]) > moment(whole[last]):
            whole[first] = whole[last] = None
    return {name: value for name, value in whole.items() if value is not None}


def is_news(stored: Mapping[str, Any], amendment: Amendment) -> bool:
    """Whether an event is later than the stored version: one that comes late or again is not."""
    version = stored.get("updated_at")
    return version is None or moment(amendment.at) > moment(version)


def moment(text: str) -> datetime:
    """A time with an offset."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def minutes(start: str, end: str) -> int:
    return round((moment(end) - moment(start)).total_seconds() / 60)


def finished(end: str, updated: str, now: datetime) -> tuple[str, str]:
    """Status and version of a booking that stands: what is over has taken place, and says so as of its end."""
    if moment(end) > now:
        return "scheduled", updated
    return "completed", max(updated, end, key=moment)


def _same(stored: Any, said: Cell) -> bool:
    if isinstance(stored, str) and isinstance(said, str) and "T" in stored and "T" in said:
        return moment(stored) == moment(said)
    return bool(stored == said)


def _move(move: Move, place: Place, updated_at: Cell) -> dict[str, Cell]:
    requested_at, original_time = place.requested_at, place.original_time
    return {
        "session_id": place.first,
        "initiator": move.initiator,
        "reason": move.reason,
        "requested_at": requested_at.isoformat() if requested_at else move.requested_at,
        "original_time": original_time.isoformat() if original_time else move.original_time,
        "new_time": move.new_time,
        "updated_at": updated_at,
    }
