"""What people do about the tutor of a case: they talk, correct what they have noted, and ask stand-ins."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
from pydantic_core import from_json

from api.audit_writer import record
from api.bodies import invalid
from api.browser_sessions import BrowserCaller
from api.callers import AnyCaller
from api.cases.queries import Asker
from api.cases.schemas import (
    FOLLOW_UP_DAYS,
    AgreedAction,
    CaseEventKind,
    CaseState,
    ContactPost,
    StandInPost,
    Withdrawal,
)
from api.cases.writing import (
    IS_CLOSED,
    SUBJECT,
    TUTOR,
    UNTOUCHED,
    Row,
    check_day,
    locked,
    locked_as_seen,
    note,
    now,
    shown,
    update,
)
from api.database import with_app_tables
from api.paths import NO_SESSION, NO_TUTOR, names_of
from api.problems import ConflictError, FieldError, NotFoundError
from core.audit import Action, Entry

HAS_CONTACT = "select exists (select from app.case_events where case_id = $1 and event_id = $2 and kind = 'contact')"
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
LONGEST_AGO = timedelta(days=366)
NO_CONTACT = "This case has no contact with this number."
IS_CORRECTED = "The contact was corrected or withdrawn already. Look at what has changed."
NOT_PLANNED = "no planned session of this tutor has this id"


class CaseContacts:
    """Writes contacts and stand-ins of cases into `app.case_events`, and what follows from them into `app.cases`.

    Raises (every method):
        DatabaseUnavailableError: the server cannot be reached, or not in time.
        NotFoundError: there is no such case.
        ForbiddenError: it is neither the coach's, nor that of a tutor of theirs.
    """

    def __init__(self, pool: asyncpg.Pool, timezone: str) -> None:
        self._pool = pool
        self._zone = ZoneInfo(timezone)

    async def add(self, case_id: int, wanted: ContactPost, caller: AnyCaller) -> None:
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
                case = await locked_as_seen(connection, case_id, wanted.version, caller)
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
                    check_day("follow_up_on", due_on, today)
                contacted_at = self._moment(happened_on, now())
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
                version = await update(connection, case, changes)
                said: dict[str, Any] = {
                    "channel": wanted.channel,
                    "action": wanted.action,
                    "follow_up_on": due_on and due_on.isoformat(),
                }
                is_taken = wrong is None and case["owner_id"] is None
                if is_taken and isinstance(caller, BrowserCaller) and caller.person_id is not None:
                    said["owner"] = {"from": None, "to": caller.name}
                details = {**said, "cause": wanted.cause, "text": wanted.text}
                await note(
                    connection, caller, case_id, CaseEventKind.CONTACT, version, details,
                    happened_on=happened_on, corrects=wanted.corrects,
                )  # fmt: skip
                told = said | {"happened_on": happened_on.isoformat()}
                if wanted.corrects is not None:
                    told["corrects"] = wanted.corrects
                # Not the cause: the log is kept for longer, and health is nobody's business there.
                await record(connection, Entry(caller.actor, Action.CASE_CONTACT, SUBJECT, str(case_id), told))

        await with_app_tables(self._pool, work)

    async def withdraw(self, case_id: int, event_id: int, wanted: Withdrawal, caller: AnyCaller) -> None:
        """Take a contact back that never was: the case stands as it would without it.

        Raises:
            StaleCaseError: it is of another version.
            ConflictError: it is closed, or the contact was corrected or withdrawn already.
            NotFoundError: the case has no contact with this number.
        """

        async def work(connection: Any) -> None:
            async with connection.transaction():
                case = await locked_as_seen(connection, case_id, wanted.version, caller)
                if case["closed_at"] is not None:
                    raise ConflictError(IS_CLOSED)
                wrong, others = await _corrected(connection, case_id, event_id)
                assert wrong is not None
                changes: dict[str, Any] = {}
                if wrong["is_current"]:
                    changes = _with_contacts(case, self._known(others))
                    # What was agreed with nobody is not followed up.
                    if shown(case["due_on"]) == from_json(wrong["details"]).get("follow_up_on"):
                        changes["due_on"] = None
                version = await update(connection, case, changes)
                details = {} if wanted.text is None else {"text": wanted.text}
                await note(connection, caller, case_id, CaseEventKind.WITHDRAWN, version, details, corrects=event_id)
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
                case = await locked(connection, case_id, caller)
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
                await note(connection, caller, case_id, CaseEventKind.STAND_IN, case["version"], details)
                await record(connection, Entry(caller.actor, Action.CASE_STAND_IN, SUBJECT, str(case_id), details))

        await with_app_tables(self._pool, work)

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


async def _corrected(connection: Any, case_id: int, event_id: int | None) -> tuple[Row | None, list[Row]]:
    """The contact that is to be corrected, and the others since the case was opened or reopened.

    Raises:
        NotFoundError, ConflictError: as `CaseContacts.withdraw`.
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


def _check_past_day(name: str, day: date, today: date) -> None:
    if day > today:
        raise invalid([FieldError(field=name, message=f"must be today, {today.isoformat()}, or earlier")])
    if day < today - LONGEST_AGO:
        raise invalid([FieldError(field=name, message="must not be more than a year ago")])
