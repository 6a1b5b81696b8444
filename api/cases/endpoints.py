"""Cases: the work queue, one case, and what people do to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from api import bodies
from api.caching import NOT_MODIFIED, answer_by_content
from api.callers import AnyCaller
from api.cases import invitation
from api.cases.commands import Cases
from api.cases.contact_commands import CaseContacts
from api.cases.effect import CaseEffectResponse
from api.cases.outcomes import OutcomeRange, OutcomesResponse
from api.cases.queries import Asker, CaseQueries, response_of
from api.cases.schemas import (
    GREATEST_ID,
    BulkAssignment,
    BulkAssignmentResult,
    Case,
    CaseConflict,
    CaseDetail,
    CaseEvents,
    CaseFilters,
    CaseList,
    CasePatch,
    CasePost,
    CaseResponse,
    ContactPost,
    NotePost,
    Owners,
    StandInPost,
    Withdrawal,
)
from api.cases.talk_schemas import PreparationResponse, Talk
from api.cases.writing import StaleCaseError
from api.dependencies import CurrentCoach, CurrentReader, NoQuery
from api.description import body_of
from api.exports import answer_pages
from api.paging import LINKED
from api.problems import FieldError, Problem, StaleVersionError, documented
from api.routing import ApiRoute
from api.state import from_state

# The longest text, each character escaped.
MOST_BYTES = 64 << 10

router = APIRouter(prefix="/api/cases", tags=["cases"], responses=documented(400, 401, 403, 503), route_class=ApiRoute)

CaseId = Annotated[int, Path(ge=1, le=GREATEST_ID, description="Number of the case.")]

EventId = Annotated[int, Path(ge=1, le=GREATEST_ID, description="Number of the event.")]

CasesDep = Annotated[Cases, from_state("cases")]
CaseContactsDep = Annotated[CaseContacts, from_state("case_contacts")]
CaseQueriesDep = Annotated[CaseQueries, from_state("case_queries")]

WRITTEN = documented(404, 409, 413, 415)
CHANGED = WRITTEN | {
    409: {
        "model": CaseConflict | Problem,
        "description": "Somebody else has changed it; or, without `case` in the answer, it is closed",
    }
}


@router.get("", response_model=CaseList, responses=NOT_MODIFIED | LINKED)
async def list_cases(
    request: Request, caller: CurrentReader, queries: CaseQueriesDep, filters: Annotated[CaseFilters, Query()]
) -> Response:
    """The work queue: open cases, most urgent first by default."""
    asker = Asker.of(caller)
    return await answer_pages(request, caller, "cases", Case, filters, lambda part: queries.page(part, asker))


@router.post(
    "",
    status_code=201,
    response_model=CaseResponse,
    responses=documented(404, 409, 413, 415),
    openapi_extra=body_of(CasePost, bodies.JSON),
)
async def post_case(
    request: Request, caller: CurrentCoach, cases: CasesDep, queries: CaseQueriesDep, _: NoQuery
) -> Response:
    """Open a case by hand; a tutor has at most one open case. Coaches: only for their own tutors."""
    wanted = await bodies.read_model(request, CasePost, MOST_BYTES)
    case_id = await cases.open(wanted, caller)
    return _as_it_is(await queries.one(case_id, Asker.of(caller)), 201)


@router.get("/effect", response_model=CaseEffectResponse, responses=NOT_MODIFIED)
async def get_case_effect(request: Request, _caller: CurrentReader, queries: CaseQueriesDep, _: NoQuery) -> Response:
    """Did it help? Let-downs after an immediate talk compared with those after a later one, as drawn at random, and
    with those expected at the opening. Null if there are too few cases."""
    return answer_by_content(request, await queries.effect())


@router.get("/owners", response_model=Owners, responses=NOT_MODIFIED)
async def list_case_owners(request: Request, _caller: CurrentReader, queries: CaseQueriesDep, _: NoQuery) -> Response:
    """People who can own cases: active coaches, leads and admins."""
    return answer_by_content(request, await queries.owners())


@router.get("/outcomes", response_model=OutcomesResponse, responses=NOT_MODIFIED)
async def get_case_outcomes(
    request: Request, _caller: CurrentReader, queries: CaseQueriesDep, wanted: Annotated[OutcomeRange, Query()]
) -> Response:
    """Outcomes of the cases of the last months, by month, owner and agreed action. They prove no effect: many tutors
    flagged by chance improve by chance."""
    return answer_by_content(request, await queries.outcomes(wanted.months))


@router.post(
    "/assign",
    response_model=BulkAssignmentResult,
    responses=documented(413, 415),
    openapi_extra=body_of(BulkAssignment, bodies.JSON),
)
async def post_case_assignments(request: Request, caller: CurrentCoach, cases: CasesDep, _: NoQuery) -> Response:
    """Assign up to 200 cases to one person, or to nobody. Coaches: only their own cases, to themselves or to nobody."""
    wanted = await bodies.read_model(request, BulkAssignment, MOST_BYTES)
    result = BulkAssignmentResult(data=await cases.assign(wanted, caller))
    return Response(result.model_dump_json(), media_type=bodies.JSON)


@router.get("/{case_id:int}", response_model=CaseResponse, responses=NOT_MODIFIED | documented(404))
async def get_case(
    request: Request, caller: CurrentReader, queries: CaseQueriesDep, case_id: CaseId, _: NoQuery
) -> Response:
    """One case, with its figures when it opened."""
    return answer_by_content(request, response_of(await queries.one(case_id, Asker.of(caller))))


@router.patch(
    "/{case_id:int}",
    response_model=CaseResponse,
    responses=CHANGED,
    openapi_extra=body_of(CasePatch, bodies.JSON),
)
async def patch_case(
    request: Request, caller: CurrentCoach, cases: CasesDep, queries: CaseQueriesDep, case_id: CaseId, _: NoQuery
) -> Response:
    """Assign a case, snooze it, set its priority, state or follow-up day, close or reopen it. Coaches: only their own
    cases and those of their own tutors."""
    wanted = await bodies.read_model(request, CasePatch, MOST_BYTES)
    async with _told_what_has_changed(queries, case_id, wanted.version, caller):
        await cases.change(case_id, wanted, caller)
    return _as_it_is(await queries.one(case_id, Asker.of(caller)))


@router.get("/{case_id:int}/events", response_model=CaseEvents, responses=NOT_MODIFIED | documented(404))
async def list_case_events(
    request: Request, caller: CurrentReader, queries: CaseQueriesDep, case_id: CaseId, _: NoQuery
) -> Response:
    """The history of a case, newest first. Private notes are shown only to their author."""
    events = CaseEvents(data=await queries.events(case_id, Asker.of(caller)))
    return answer_by_content(request, events.model_dump_json().encode())


@router.get("/{case_id:int}/preparation", response_model=PreparationResponse, responses=NOT_MODIFIED | documented(404))
async def get_case_preparation(
    request: Request, caller: CurrentReader, queries: CaseQueriesDep, case_id: CaseId, _: NoQuery
) -> Response:
    """Notes for a conversation with the tutor: facts, what is fair to concede, questions, students affected next, and
    what clears the concern; also as plain text and as a mail."""
    return answer_by_content(request, await queries.preparation(case_id, Asker.of(caller)))


@router.get(
    "/{case_id:int}/invitation.ics",
    response_class=Response,
    responses=documented(404) | {200: {"content": {"text/calendar": {"schema": {"type": "string"}}}}},
)
async def get_case_invitation(
    caller: CurrentReader, queries: CaseQueriesDep, case_id: CaseId, talk: Annotated[Talk, Query()]
) -> Response:
    """A calendar invitation (iCalendar) for the conversation. It names no concerns or students."""
    tutor, host = await queries.participants(case_id, Asker.of(caller))
    uid = f"case-{case_id}-{talk.at.timestamp():.0f}@tutorq"
    try:
        body = invitation.calendar(uid, talk.at, talk.minutes, tutor, host, now=datetime.now(UTC))
    except OverflowError as error:
        raise bodies.invalid([FieldError(field="at", message="leaves the years that there are")]) from error
    headers = {
        "Content-Disposition": f'attachment; filename="conversation-{case_id}.ics"',
        "Cache-Control": "private, no-store",
    }
    return Response(body, media_type=invitation.MEDIA_TYPE, headers=headers)


@router.post(
    "/{case_id:int}/notes",
    status_code=204,
    response_class=Response,
    responses=documented(404, 413, 415),
    openapi_extra=body_of(NotePost, bodies.JSON),
)
async def post_case_note(request: Request, caller: CurrentCoach, cases: CasesDep, case_id: CaseId, _: NoQuery) -> None:
    """Add a note, visible to everybody or only to its author."""
    await cases.add_note(case_id, await bodies.read_model(request, NotePost, MOST_BYTES), caller)


@router.post(
    "/{case_id:int}/contacts",
    response_model=CaseResponse,
    responses=CHANGED,
    openapi_extra=body_of(ContactPost, bodies.JSON),
)
async def post_case_contact(
    request: Request,
    caller: CurrentCoach,
    contacts: CaseContactsDep,
    queries: CaseQueriesDep,
    case_id: CaseId,
    _: NoQuery,
) -> Response:
    """Log a contact with the tutor. The case then waits for its follow-up; without an owner, it becomes the caller's.
    With `corrects`, the contact replaces a wrong one; both stay in the history."""
    wanted = await bodies.read_model(request, ContactPost, MOST_BYTES)
    async with _told_what_has_changed(queries, case_id, wanted.version, caller):
        await contacts.add(case_id, wanted, caller)
    return _as_it_is(await queries.one(case_id, Asker.of(caller)))


@router.post(
    "/{case_id:int}/contacts/{event_id:int}/withdrawal",
    response_model=CaseResponse,
    responses=CHANGED,
    openapi_extra=body_of(Withdrawal, bodies.JSON),
)
async def post_case_contact_withdrawal(
    request: Request,
    caller: CurrentCoach,
    contacts: CaseContactsDep,
    queries: CaseQueriesDep,
    case_id: CaseId,
    event_id: EventId,
    _: NoQuery,
) -> Response:
    """Withdraw a contact that never happened, or was with somebody else. It stays in the history, but no longer
    counts."""
    wanted = await bodies.read_model(request, Withdrawal, MOST_BYTES)
    async with _told_what_has_changed(queries, case_id, wanted.version, caller):
        await contacts.withdraw(case_id, event_id, wanted, caller)
    return _as_it_is(await queries.one(case_id, Asker.of(caller)))


@router.post(
    "/{case_id:int}/stand-ins",
    status_code=204,
    response_class=Response,
    responses=documented(404, 413, 415),
    openapi_extra=body_of(StandInPost, bodies.JSON),
)
async def post_case_stand_in(
    request: Request, caller: CurrentCoach, contacts: CaseContactsDep, case_id: CaseId, _: NoQuery
) -> None:
    """Record that somebody was asked to hold a planned session instead of the tutor, has agreed or has declined. The
    session stays with its tutor: the marketplace moves it."""
    await contacts.add_stand_in(case_id, await bodies.read_model(request, StandInPost, MOST_BYTES), caller)


@asynccontextmanager
async def _told_what_has_changed(
    queries: CaseQueries, case_id: int, seen: int, caller: AnyCaller
) -> AsyncIterator[None]:
    """Who has seen another version gets the case as it is, and what has changed since."""
    try:
        yield
    except StaleCaseError as error:
        asker = Asker.of(caller)
        case = await queries.one(case_id, asker)
        changes = await queries.events(case_id, asker, after_version=seen)
        sent = f"It is at version {case.version}, and version {seen} was sent."
        detail = f"{sent} Look at what has changed, and send it again."
        members = {
            "case": case.model_dump(mode="json"),
            "changes": [change.model_dump(mode="json") for change in changes],
        }
        raise StaleVersionError(detail, members=members) from error


def _as_it_is(case: CaseDetail, status: int = 200) -> Response:
    return Response(response_of(case), status, media_type=bodies.JSON)
