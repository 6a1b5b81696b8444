"""What all writers of cases share: the case is locked and checked, changed with its version, and told as an event."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import asyncpg
from pydantic_core import to_json

from api.bodies import invalid
from api.callers import AnyCaller
from api.cases.queries import MISSING, Asker
from api.cases.schemas import CaseEventKind, CaseState
from api.problems import ConflictError, FieldError, ForbiddenError, NotFoundError
from api.teams import NOT_THEIRS
from core.roles import Role

FIND = "select * from app.cases where case_id = $1 for update"
TUTOR = "select tutor_id from marts.dim_tutors where tutor_id = $1::text::uuid or external_id = $2"
HAS_TUTOR = "select exists (select from app.person_tutors where person_id = $1 and tutor_id = $2)"
UPDATE = """
update app.cases
set
    state = $2, reason = $3, owner_id = $4, priority = $5, due_on = $6, snoozed_until = $7, contacted_at = $8,
    suggested_at = $9, reopened_at = $10, closed_at = $11, version = version + 1, changed_at = now()
where case_id = $1
returning version
"""
CHANGEABLE = (
    *("state", "reason", "owner_id", "priority", "due_on", "snoozed_until", "contacted_at"),
    *("suggested_at", "reopened_at", "closed_at"),
)
EVENT = """
insert into app.case_events (case_id, kind, actor, person_id, is_private, version, details, happened_on, corrects)
values ($1, $2, $3, $4, $5, $6, $7::text::jsonb, $8, $9)
"""
# Nobody has begun with these.
UNTOUCHED = (CaseState.NEW, CaseState.ASSIGNED)
# What entries in the audit log are about.
SUBJECT = "case"
IS_CLOSED = "It is closed; reopen it first."
HAS_ANOTHER = "The tutor has an open case already."

Row = Mapping[str, Any]


class StaleCaseError(Exception):
    """Somebody has changed the case since the version that was sent."""


async def locked(connection: Any, case_id: int, caller: AnyCaller) -> Row:
    """The case, locked until the transaction ends.

    Raises:
        NotFoundError, ForbiddenError: as every writer of cases.
    """
    case = await connection.fetchrow(FIND, case_id)
    if case is None:
        raise NotFoundError(MISSING)
    await check_scope(connection, Asker.of(caller), case)
    return dict(case)


async def locked_as_seen(connection: Any, case_id: int, version: int, caller: AnyCaller) -> Row:
    """The same, if the caller has seen the case as it is.

    Raises:
        StaleCaseError: it is of another version.
    """
    case = await locked(connection, case_id, caller)
    if case["version"] != version:
        raise StaleCaseError
    return case


async def check_scope(connection: Any, asker: Asker, case: Row) -> None:
    """
    Raises:
        ForbiddenError: a coach neither looks after the case nor has its tutor in their team.
    """
    if asker.role is not Role.COACH or (asker.person_id is not None and case["owner_id"] == asker.person_id):
        return
    if not await connection.fetchval(HAS_TUTOR, asker.person_id, case["tutor_id"]):
        raise ForbiddenError(NOT_THEIRS)


async def update(connection: Any, case: Row, changes: Mapping[str, Any]) -> int:
    """Write the changes; the version then.

    Raises:
        ConflictError: it would be the second open case of the tutor.
    """
    values = [changes.get(name, case[name]) for name in CHANGEABLE]
    try:
        return int(await connection.fetchval(UPDATE, case["case_id"], *values))
    except asyncpg.UniqueViolationError as error:
        raise ConflictError(HAS_ANOTHER) from error


async def note(
    connection: Any,
    caller: AnyCaller,
    case_id: int,
    kind: CaseEventKind,
    version: int,
    details: Mapping[str, Any],
    is_private: bool = False,
    happened_on: date | None = None,
    corrects: int | None = None,
) -> None:
    """Add an event to the history of the case: of this version, by the caller."""
    person_id = Asker.of(caller).person_id
    as_json = to_json(details).decode()
    values = (case_id, kind, caller.actor, person_id, is_private, version, as_json, happened_on, corrects)
    await connection.execute(EVENT, *values)


def check_day(name: str, day: date | None, today: date) -> None:
    """
    Raises:
        InvalidRequestError: the day of the field `name` is over.
    """
    if day is not None and day < today:
        raise invalid([FieldError(field=name, message=f"must be today, {today.isoformat()}, or later")])


def now() -> datetime:
    return datetime.now(UTC)


def shown(value: Any) -> Any:
    """A value as events tell it: days and times in ISO 8601."""
    return value.isoformat() if isinstance(value, date) else value
