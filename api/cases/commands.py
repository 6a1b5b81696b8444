"""What people do to cases, each deed with its event and its entry in the audit log."""

from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
from pydantic_core import from_json

from api.audit_writer import record
from api.bodies import invalid
from api.callers import AnyCaller
from api.cases.queries import Asker
from api.cases.schemas import (
    REASONS,
    Assigned,
    AssignOutcome,
    BulkAssignment,
    CaseEventKind,
    CasePatch,
    CasePost,
    CaseState,
    NotePost,
)
from api.cases.writing import (
    HAS_ANOTHER,
    IS_CLOSED,
    SUBJECT,
    TUTOR,
    UNTOUCHED,
    Row,
    check_day,
    check_scope,
    locked,
    locked_as_seen,
    note,
    now,
    shown,
    update,
)
from api.database import with_app_tables
from api.paths import NO_TUTOR, names_of
from api.problems import ConflictError, FieldError, ForbiddenError, NotFoundError
from core.audit import Action, Entry
from core.roles import Role

# In the order in which scores lock them.
FIND_ALL = "select * from app.cases where case_id = any($1::bigint[]) order by tutor_id, case_id for update"
OWNER = "select name, role, is_active from app.people where person_id = $1"
OPEN = """
insert into app.cases (
    tutor_id, concerns, standing, snapshot, opened_by, opened_on,
    let_down_rate_expected, let_down_rate_low, let_down_rate_high
)
select
    $1,
    coalesce(array_agg(concern) filter (where is_raised), '{}'),
    coalesce(array_agg(concern) filter (where is_raised), '{}'),
    coalesce(
        jsonb_agg(
            jsonb_build_object(
                'concern', concern, 'probability', probability, 'threshold', threshold, 'trials', trials,
                'events', events, 'raw_rate', raw_rate, 'expected', expected, 'low', low, 'high', high,
                'raised_on', raised_on
            )
        ) filter (where is_raised),
        '[]'
    ),
    $2,
    (select as_of from marts.publication),
    max(expected) filter (where concern = 'unreliable'),
    max(low) filter (where concern = 'unreliable'),
    max(high) filter (where concern = 'unreliable')
from (
    select *, status = 'raised' and not superseded as is_raised from marts.tutor_concerns where tutor_id = $1
) as concerns
on conflict do nothing
returning *
"""
CLOSED = (CaseState.RESOLVED, CaseState.DISMISSED)
NOT_YOURS_TO_GIVE = "Coaches take cases that nobody has, or give theirs back. A lead gives them to somebody."


class Cases:
    """Writes `app.cases` and `app.case_events`.

    Raises (every method):
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    Raises (of one case):
        NotFoundError: there is no such case.
        ForbiddenError: it is neither the coach's, nor that of a tutor of theirs.
    """

    def __init__(self, pool: asyncpg.Pool, timezone: str) -> None:
        self._pool = pool
        self._zone = ZoneInfo(timezone)

    async def open(self, wanted: CasePost, caller: AnyCaller) -> int:
        """A case of a tutor, with what is raised of them now; its number.

        Raises:
            NotFoundError: there is no such tutor.
            ConflictError: the tutor has an open case.
        """

        async def work(connection: Any) -> int:
            async with connection.transaction():
                tutor_id: UUID | None = await connection.fetchval(TUTOR, *names_of(wanted.tutor_id, NO_TUTOR))
                if tutor_id is None:
                    raise NotFoundError("There is no tutor with this id.")
                await check_scope(connection, Asker.of(caller), {"tutor_id": tutor_id, "owner_id": None})
                case = await connection.fetchrow(OPEN, tutor_id, caller.actor)
                if case is None:
                    raise ConflictError(HAS_ANOTHER)
                case_id = int(case["case_id"])
                opening = {"concerns": from_json(case["snapshot"])}
                await note(connection, caller, case_id, CaseEventKind.OPENED, case["version"], opening)
                if wanted.text is not None:
                    await note(connection, caller, case_id, CaseEventKind.NOTE, case["version"], {"text": wanted.text})
                await record(
                    connection,
                    Entry(caller.actor, Action.CASE_OPEN, SUBJECT, str(case_id), {"tutor_id": str(tutor_id)}),
                )
                return case_id

        return await with_app_tables(self._pool, work)

    async def change(self, case_id: int, wanted: CasePatch, caller: AnyCaller) -> None:
        """Change what is given.

        Raises:
            StaleCaseError: it is of another version.
            InvalidRequestError: the fields do not go together.
            ConflictError: it is closed, or it cannot be reopened because another one is open.
        """

        async def work(connection: Any) -> None:
            async with connection.transaction():
                case = await locked_as_seen(connection, case_id, wanted.version, caller)
                changes = await self._changes(connection, case, wanted, caller)
                await _apply(connection, caller, case, changes, wanted.text)

        await with_app_tables(self._pool, work)

    async def add_note(self, case_id: int, wanted: NotePost, caller: AnyCaller) -> None:
        """Add a note. A private one needs a person who can read it.

        Raises:
            InvalidRequestError: it is private, and the caller is no person.
        """

        async def work(connection: Any) -> None:
            async with connection.transaction():
                case = await locked(connection, case_id, caller)
                if wanted.is_private and Asker.of(caller).person_id is None:
                    raise invalid([FieldError(field="is_private", message="only people have private notes")])
                details = {"text": wanted.text}
                await note(connection, caller, case_id, CaseEventKind.NOTE, case["version"], details, wanted.is_private)
                entry = Entry(caller.actor, Action.CASE_NOTE, SUBJECT, str(case_id), {"is_private": wanted.is_private})
                await record(connection, entry)

        await with_app_tables(self._pool, work)

    async def assign(self, wanted: BulkAssignment, caller: AnyCaller) -> list[Assigned]:
        """Give many cases to one person; what cannot be given stays, and its outcome says why.

        Raises:
            InvalidRequestError: nobody can look after cases who has this number.
            ForbiddenError: a coach gives cases to somebody else.
        """

        async def work(connection: Any) -> list[Assigned]:
            async with connection.transaction():
                owner = await _checked_owner(connection, wanted.owner_id, caller)
                numbers = [seen.case_id for seen in wanted.cases]
                known = {row["case_id"]: dict(row) for row in await connection.fetch(FIND_ALL, numbers)}
                results = []
                for seen in wanted.cases:
                    case = known.get(seen.case_id)
                    outcome = await _assignable(connection, case, seen.version, wanted.owner_id, caller)
                    if outcome is AssignOutcome.ASSIGNED:
                        assert case is not None
                        changes = _owner_changes(case, wanted.owner_id)
                        case["version"] = await _apply(connection, caller, case, changes, None, owner)
                        case["owner_id"] = wanted.owner_id
                    results.append(
                        Assigned(case_id=seen.case_id, outcome=outcome, version=case["version"] if case else None)
                    )
                return results

        return await with_app_tables(self._pool, work)

    async def _changes(self, connection: Any, case: Row, wanted: CasePatch, caller: AnyCaller) -> dict[str, Any]:
        given = wanted.model_fields_set - {"version", "text"}
        changes: dict[str, Any] = {
            name: getattr(wanted, name) for name in given & {"due_on", "snoozed_until", "priority"}
        }
        for name in ("due_on", "snoozed_until"):
            check_day(name, changes.get(name), self._today())
        closes = "state" in given and wanted.state in CLOSED
        if wanted.text is not None and "state" not in given:
            raise invalid([FieldError(field="text", message="says why the state changes; a note is another thing")])
        if "reason" in given and not closes:
            raise invalid([FieldError(field="reason", message="goes with the state resolved or dismissed")])
        if case["closed_at"] is not None and ("state" not in given or closes):
            raise ConflictError(IS_CLOSED)
        if "owner_id" in given:
            await _checked_owner(connection, wanted.owner_id, caller)
            _check_handover(case, caller)
            changes |= _owner_changes(case, wanted.owner_id)
        if "state" not in given:
            return changes
        if closes:
            if wanted.reason not in REASONS[wanted.state]:
                known = " or ".join(REASONS[wanted.state])
                raise invalid([FieldError(field="reason", message=f"{wanted.state} needs a reason: {known}")])
            closed = {"state": wanted.state, "reason": wanted.reason, "closed_at": now()}
            if case["owner_id"] is None and "owner_id" not in given:
                # Whoever closes what nobody looks after has looked after it.
                closed["owner_id"] = Asker.of(caller).person_id
            return changes | closed | {"snoozed_until": None, "due_on": None, "suggested_at": None}
        if wanted.state not in UNTOUCHED:
            changes["state"] = wanted.state
        else:
            if case["closed_at"] is not None and "owner_id" not in changes:
                # Whoever has left, or may only read by now, keeps no case that comes back.
                is_kept = _can_own(await connection.fetchrow(OWNER, case["owner_id"]))
                changes["owner_id"] = case["owner_id"] if is_kept else None
            has_owner = changes.get("owner_id", case["owner_id"]) is not None
            changes["state"] = CaseState.ASSIGNED if has_owner else CaseState.NEW
        if case["closed_at"] is not None:
            changes |= {"closed_at": None, "reason": None, "reopened_at": now(), "contacted_at": None}
        return changes

    def _today(self) -> date:
        return datetime.now(self._zone).date()


async def _checked_owner(connection: Any, owner_id: int | None, caller: AnyCaller) -> str | None:
    """The name of who is to look after a case."""
    asker = Asker.of(caller)
    if asker.role is Role.COACH and owner_id not in (None, asker.person_id):
        raise ForbiddenError(NOT_YOURS_TO_GIVE)
    if owner_id is None:
        return None
    owner = await connection.fetchrow(OWNER, owner_id)
    if not _can_own(owner):
        raise invalid([FieldError(field="owner_id", message="nobody who can look after cases has this number")])
    return str(owner["name"])


def _can_own(person: Row | None) -> bool:
    return person is not None and person["is_active"] and person["role"] != Role.READ


def _check_handover(case: Row, caller: AnyCaller) -> None:
    """
    Raises:
        ForbiddenError: a coach takes or gives back what a lead has given to somebody else.
    """
    asker = Asker.of(caller)
    if asker.role is Role.COACH and case["owner_id"] not in (None, asker.person_id):
        raise ForbiddenError(NOT_YOURS_TO_GIVE)


async def _assignable(
    connection: Any, case: Row | None, version: int, owner_id: int | None, caller: AnyCaller
) -> AssignOutcome:
    if case is None:
        return AssignOutcome.UNKNOWN
    try:
        await check_scope(connection, Asker.of(caller), case)
        _check_handover(case, caller)
    except ForbiddenError:
        return AssignOutcome.NOT_YOURS
    if case["closed_at"] is not None:
        return AssignOutcome.CLOSED
    if case["owner_id"] == owner_id:
        return AssignOutcome.UNCHANGED
    return AssignOutcome.ASSIGNED if case["version"] == version else AssignOutcome.STALE


def _owner_changes(case: Row, owner_id: int | None) -> dict[str, Any]:
    changes: dict[str, Any] = {"owner_id": owner_id}
    if case["state"] in UNTOUCHED:
        changes["state"] = CaseState.NEW if owner_id is None else CaseState.ASSIGNED
    return changes


async def _apply(
    connection: Any,
    caller: AnyCaller,
    case: Row,
    changes: dict[str, Any],
    text: str | None,
    owner: str | None = None,
) -> int:
    """Write what differs, with its event and its entry; the version then."""
    differs = {name: {"from": shown(case[name]), "to": shown(to)} for name, to in changes.items() if case[name] != to}
    told = {name: each for name, each in differs.items() if not name.endswith("_at")}
    if not differs and text is None:
        return int(case["version"])
    if "owner_id" in told:
        told["owner"] = {
            "from": await connection.fetchval("select name from app.people where person_id = $1", case["owner_id"]),
            "to": owner
            or await connection.fetchval("select name from app.people where person_id = $1", changes["owner_id"]),
        }
    version = await update(connection, case, changes)
    kind, details = CaseEventKind.CHANGED, dict[str, Any](told)
    if changes.get("closed_at") is not None:
        kind = CaseEventKind.CLOSED
        details = {"state": changes["state"], "reason": changes["reason"]}
    elif case["closed_at"] is not None:
        kind = CaseEventKind.REOPENED
    if text is not None:
        details["text"] = text
    await note(connection, caller, case["case_id"], kind, version, details)
    await record(connection, Entry(caller.actor, Action.CASE_CHANGE, SUBJECT, str(case["case_id"]), told))
    return version
