"""What people do to cases, each deed with its event and its entry in the audit log."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
from pydantic_core import from_json, to_json

from api.audit_writer import record
from api.bodies import invalid
from api.browser_sessions import BrowserCaller
from api.callers import AnyCaller
from api.cases.queries import MISSING, Asker
from api.cases.schemas import (
    FOLLOW_UP_DAYS,
    REASONS,
    AgreedAction,
    Assigned,
    AssignOutcome,
    BulkAssignment,
    CaseEventKind,
    CasePatch,
    CasePost,
    CaseState,
    ContactPost,
    NotePost,
    StandInPost,
    Withdrawal,
)
from api.database import with_app_tables
from api.paths import NO_SESSION, NO_TUTOR, names_of
from api.problems import ConflictError, FieldError, ForbiddenError, NotFoundError
from api.teams import NOT_THEIRS
from core.audit import Action, Entry
from core.roles import Role

FIND = "select * from app.cases where case_id = $1 for update"
# In the order in which scores lock them.
FIND_ALL = "select * from app.cases where case_id = any($1::bigint[]) order by tutor_id, case_id for update"
TUTOR = "select tutor_id from marts.dim_tutors where tutor_id = $1::text::uuid or external_id = $2"
HAS_TUTOR = "select exists (select from app.person_tutors where person_id = $1 and tutor_id = $2)"
OWNER = "select name, role, is_active from app.people where person_id = $1"
HAS_CONTACT = "select exists (select from app.case_events where case_id = $1 and event_id = $2 and kind = 'contact')"
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
# Contacts of a case that stand: corrected by nothing. Those from before it was reopened say nothing of how it is now.
CONTACTS = """
select
    event_id, happened_at, happened_on, details,
    event_id > coalesce(
        (select max(event_id) from app.case_events where case_id = $1 and kind = 'reopened'), 0
    ) as is_current
from app.case_events as events
where case_id = $1 and kind = 'contact'
    and not exists (select from app.case_events as later where later.corrects = events.event_id)
"""
PLANNED = """
select session_id, scheduled_time from marts.upcoming_sessions
where tutor_id = $1 and (session_id = $2::text::uuid or external_id = $3)
"""
CLOSED = (CaseState.RESOLVED, CaseState.DISMISSED)
# Nobody has begun with these.
UNTOUCHED = (CaseState.NEW, CaseState.ASSIGNED)
LONGEST_AGO = timedelta(days=366)
SUBJECT = "case"
NOT_YOURS_TO_GIVE = "Coaches take cases that nobody has, or give theirs back. A lead gives them to somebody."
NO_CONTACT = "This case has no contact with this number."
IS_CORRECTED = "The contact was corrected or withdrawn already. Look at what has changed."
NOT_PLANNED = "no planned session of this tutor has this id"
IS_CLOSED = "It is closed; reopen it first."
HAS_ANOTHER = "The tutor has an open case already."

Row = Mapping[str, Any]


class StaleCaseError(Exception):
    """Somebody has changed the case since the version that was sent."""


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
                await _check_scope(connection, Asker.of(caller), {"tutor_id": tutor_id, "owner_id": None})
                case = await connection.fetchrow(OPEN, tutor_id, caller.actor)
                if case is None:
                    raise ConflictError(HAS_ANOTHER)
                case_id = int(case["case_id"])
                opening = {"concerns": from_json(case["snapshot"])}
                await _note(connection, caller, case_id, CaseEventKind.OPENED, case["version"], opening)
                if wanted.text is not None:
                    await _note(connection, caller, case_id, CaseEventKind.NOTE, case["version"], {"text": wanted.text})
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
                case = await _seen(connection, case_id, wanted.version, caller)
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
                case = await _locked(connection, case_id, caller)
                if wanted.is_private and Asker.of(caller).person_id is None:
                    raise invalid([FieldError(field="is_private", message="only people have private notes")])
                details = {"text": wanted.text}
                await _note(
                    connection, caller, case_id, CaseEventKind.NOTE, case["version"], details, wanted.is_private
                )
                entry = Entry(caller.actor, Action.CASE_NOTE, SUBJECT, str(case_id), {"is_private": wanted.is_private})
                await record(connection, entry)

        await with_app_tables(self._pool, work)

    async def add_contact(self, case_id: int, wanted: ContactPost, caller: AnyCaller) -> None:
        """Note a contact with the tutor: a case that nobody looks after is the caller's from then on, and it waits for
        its follow-up. One that corrects another takes its place.

        Raises:
            StaleCaseError: it is of another version.
            InvalidRequestError: a day cannot be.
            ConflictError: it is closed, or the other contact was corrected already.
            NotFoundError: the case has no contact with the number that is to be corrected.
        """

        async def work(connection: Any) -> None:
            async with connection.transaction():
                case = await _seen(connection, case_id, wanted.version, caller)
                if case["closed_at"] is not None:
                    raise ConflictError(IS_CLOSED)
                today = self._today()
                wrong, others = await _corrected(connection, case_id, wanted.corrects)
                happened_on = wanted.happened_on or (self._day_of(wrong) if wrong else today)
                _check_past_day("happened_on", happened_on, today)
                due_on = wanted.follow_up_on
                if "follow_up_on" not in wanted.model_fields_set:
                    due_on = case["due_on"] if wrong else today + timedelta(days=FOLLOW_UP_DAYS)
                if due_on != case["due_on"]:
                    _check_day("follow_up_on", due_on, today)
                contacted_at = self._moment(happened_on, _now())
                changes: dict[str, Any] = {}
                if wrong is None:
                    changes = {
                        "state": _state_after(CaseState(case["state"]), wanted.action),
                        "owner_id": case["owner_id"] or Asker.of(caller).person_id,
                        "due_on": due_on,
                        "snoozed_until": None,
                        "contacted_at": min(case["contacted_at"] or contacted_at, contacted_at),
                    }
                elif wrong["is_current"]:
                    standing = [(contacted_at, wanted.action), *self._known(others)]
                    changes = {"due_on": due_on, **_with_contacts(case, standing)}
                version = await _update(connection, case, changes)
                said: dict[str, Any] = {
                    "channel": wanted.channel,
                    "action": wanted.action,
                    "follow_up_on": due_on and due_on.isoformat(),
                }
                is_taken = wrong is None and case["owner_id"] is None
                if is_taken and isinstance(caller, BrowserCaller) and caller.person_id is not None:
                    said["owner"] = {"from": None, "to": caller.name}
                details = {**said, "cause": wanted.cause, "text": wanted.text}
                await _note(
                    connection, caller, case_id, CaseEventKind.CONTACT, version, details,
                    happened_on=happened_on, corrects=wanted.corrects,
                )  # fmt: skip
                told = said | {"happened_on": happened_on.isoformat()}
                if wanted.corrects is not None:
                    told["corrects"] = wanted.corrects
                # Not the cause: the log is kept for longer, and health is nobody's business there.
                await record(connection, Entry(caller.actor, Action.CASE_CONTACT, SUBJECT, str(case_id), told))

        await with_app_tables(self._pool, work)

    async def withdraw_contact(self, case_id: int, event_id: int, wanted: Withdrawal, caller: AnyCaller) -> None:
        """Take a contact back that never was: the case stands as it would without it.

        Raises:
            StaleCaseError: it is of another version.
            ConflictError: it is closed, or the contact was corrected or withdrawn already.
            NotFoundError: the case has no contact with this number.
        """

        async def work(connection: Any) -> None:
            async with connection.transaction():
                case = await _seen(connection, case_id, wanted.version, caller)
                if case["closed_at"] is not None:
                    raise ConflictError(IS_CLOSED)
                wrong, others = await _corrected(connection, case_id, event_id)
                assert wrong is not None
                changes: dict[str, Any] = {}
                if wrong["is_current"]:
                    changes = _with_contacts(case, self._known(others))
                    # What was agreed with nobody is not followed up.
                    if _shown(case["due_on"]) == from_json(wrong["details"]).get("follow_up_on"):
                        changes["due_on"] = None
                version = await _update(connection, case, changes)
                details = {} if wanted.text is None else {"text": wanted.text}
                await _note(connection, caller, case_id, CaseEventKind.WITHDRAWN, version, details, corrects=event_id)
                entry = Entry(caller.actor, Action.CASE_CONTACT, SUBJECT, str(case_id), {"withdrawn": event_id})
                await record(connection, entry)

        await with_app_tables(self._pool, work)

    async def add_stand_in(self, case_id: int, wanted: StandInPost, caller: AnyCaller) -> None:
        """Note that somebody was asked to give a planned session in place of the tutor, or what they have answered.
        The session itself stays as it is: the marketplace moves it.

        Raises:
            InvalidRequestError: the tutor has no such planned session, or there is no such stand-in.
        """

        async def work(connection: Any) -> None:
            async with connection.transaction():
                case = await _locked(connection, case_id, caller)
                session = await connection.fetchrow(PLANNED, case["tutor_id"], *names_of(wanted.session_id, NO_SESSION))
                if session is None:
                    raise invalid([FieldError(field="session_id", message=NOT_PLANNED)])
                tutor_id: UUID | None = await connection.fetchval(TUTOR, *names_of(wanted.tutor_id, NO_TUTOR))
                if tutor_id is None or tutor_id == case["tutor_id"]:
                    raise invalid([FieldError(field="tutor_id", message="no other tutor has this id")])
                details = {
                    "session_id": str(session["session_id"]),
                    "scheduled_time": session["scheduled_time"].isoformat(),
                    "tutor_id": str(tutor_id),
                    "answer": wanted.answer,
                }
                await _note(connection, caller, case_id, CaseEventKind.STAND_IN, case["version"], details)
                await record(connection, Entry(caller.actor, Action.CASE_STAND_IN, SUBJECT, str(case_id), details))

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
            _check_day(name, changes.get(name), self._today())
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
            closed = {"state": wanted.state, "reason": wanted.reason, "closed_at": _now()}
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
            changes |= {"closed_at": None, "reason": None, "reopened_at": _now(), "contacted_at": None}
        return changes

    def _today(self) -> date:
        return datetime.now(self._zone).date()

    def _day_of(self, contact: Row) -> date:
        day: date | None = contact["happened_on"]
        return day or contact["happened_at"].astimezone(self._zone).date()

    def _known(self, contacts: Sequence[Row]) -> list[tuple[datetime, AgreedAction]]:
        """When they were, and what was agreed."""
        return [
            (
                self._moment(self._day_of(each), each["happened_at"]),
                AgreedAction(from_json(each["details"])["action"]),
            )
            for each in contacts
        ]

    def _moment(self, day: date, noted_at: datetime) -> datetime:
        """When a contact was, as `int_case_contacts` has it: of an earlier day nobody knows the time."""
        is_same_day = noted_at.astimezone(self._zone).date() == day
        return noted_at if is_same_day else datetime.combine(day, time(12), self._zone)


async def _locked(connection: Any, case_id: int, caller: AnyCaller) -> Row:
    case = await connection.fetchrow(FIND, case_id)
    if case is None:
        raise NotFoundError(MISSING)
    await _check_scope(connection, Asker.of(caller), case)
    return dict(case)


async def _seen(connection: Any, case_id: int, version: int, caller: AnyCaller) -> Row:
    """The case, which the caller has seen as it is."""
    case = await _locked(connection, case_id, caller)
    if case["version"] != version:
        raise StaleCaseError
    return case


async def _corrected(connection: Any, case_id: int, event_id: int | None) -> tuple[Row | None, list[Row]]:
    """The contact that is to be corrected, and the others since the case was opened or reopened.

    Raises:
        NotFoundError, ConflictError: as `Cases.withdraw_contact`.
    """
    if event_id is None:
        return None, []
    standing = await connection.fetch(CONTACTS, case_id)
    wrong = next((each for each in standing if each["event_id"] == event_id), None)
    if wrong is None:
        is_known = await connection.fetchval(HAS_CONTACT, case_id, event_id)
        raise ConflictError(IS_CORRECTED) if is_known else NotFoundError(NO_CONTACT)
    return wrong, [each for each in standing if each["is_current"] and each is not wrong]


def _state_after(state: CaseState, action: AgreedAction) -> CaseState:
    """The state of a case after one more contact."""
    if action is not AgreedAction.NOTHING:
        return CaseState.PLAN_AGREED
    return CaseState.CONTACTED if state in UNTOUCHED else state


def _with_contacts(case: Row, contacts: Sequence[tuple[datetime, AgreedAction]]) -> dict[str, Any]:
    """What changes in a case whose contacts turn out to be these: the first of them, and the state unless somebody has
    chosen to monitor."""
    state = CaseState(case["state"])
    if state is not CaseState.MONITORING:
        if any(action is not AgreedAction.NOTHING for _, action in contacts):
            state = CaseState.PLAN_AGREED
        elif contacts:
            state = CaseState.CONTACTED
        else:
            state = CaseState.NEW if case["owner_id"] is None else CaseState.ASSIGNED
    return {"state": state, "contacted_at": min((at for at, _ in contacts), default=None)}


async def _check_scope(connection: Any, asker: Asker, case: Row) -> None:
    if asker.role is not Role.COACH or (asker.person_id is not None and case["owner_id"] == asker.person_id):
        return
    if not await connection.fetchval(HAS_TUTOR, asker.person_id, case["tutor_id"]):
        raise ForbiddenError(NOT_THEIRS)


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
        await _check_scope(connection, Asker.of(caller), case)
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
    differs = {name: {"from": _shown(case[name]), "to": _shown(to)} for name, to in changes.items() if case[name] != to}
    told = {name: each for name, each in differs.items() if not name.endswith("_at")}
    if not differs and text is None:
        return int(case["version"])
    if "owner_id" in told:
        told["owner"] = {
            "from": await connection.fetchval("select name from app.people where person_id = $1", case["owner_id"]),
            "to": owner
            or await connection.fetchval("select name from app.people where person_id = $1", changes["owner_id"]),
        }
    version = await _update(connection, case, changes)
    kind, details = CaseEventKind.CHANGED, dict[str, Any](told)
    if changes.get("closed_at") is not None:
        kind = CaseEventKind.CLOSED
        details = {"state": changes["state"], "reason": changes["reason"]}
    elif case["closed_at"] is not None:
        kind = CaseEventKind.REOPENED
    if text is not None:
        details["text"] = text
    await _note(connection, caller, case["case_id"], kind, version, details)
    await record(connection, Entry(caller.actor, Action.CASE_CHANGE, SUBJECT, str(case["case_id"]), told))
    return version


async def _update(connection: Any, case: Row, changes: Mapping[str, Any]) -> int:
    values = [changes.get(name, case[name]) for name in CHANGEABLE]
    try:
        return int(await connection.fetchval(UPDATE, case["case_id"], *values))
    except asyncpg.UniqueViolationError as error:
        raise ConflictError(HAS_ANOTHER) from error


async def _note(
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
    person_id = Asker.of(caller).person_id
    as_json = to_json(details).decode()
    values = (case_id, kind, caller.actor, person_id, is_private, version, as_json, happened_on, corrects)
    await connection.execute(EVENT, *values)


def _check_day(name: str, day: date | None, today: date) -> None:
    if day is not None and day < today:
        raise invalid([FieldError(field=name, message=f"must be today, {today.isoformat()}, or later")])


def _check_past_day(name: str, day: date, today: date) -> None:
    if day > today:
        raise invalid([FieldError(field=name, message=f"must be today, {today.isoformat()}, or earlier")])
    if day < today - LONGEST_AGO:
        raise invalid([FieldError(field=name, message="must not be more than a year ago")])


def _now() -> datetime:
    return datetime.now(UTC)


def _shown(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
