"""Offers: a slate of tutors for a student, and what was accepted of slates and assignments.

What counts as an offer is said by who asks: only these addresses write. Lists of matches, predictions and assignments
are looked at for many reasons, and who looks at them has offered nothing yet (docs/matching.md).
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request

from api import bodies
from api.dependencies import CurrentIngester, NoQuery
from api.description import body_of
from api.offers.commands import Offers
from api.offers.schemas import (
    AcceptedAssignment,
    AssignmentAcceptance,
    OfferAcceptance,
    OfferRequest,
    OfferSlate,
)
from api.paths import NO_STUDENT, IdPath, uuid_of
from api.problems import documented
from api.routing import ApiRoute
from api.state import from_state
from ingest.ids import entity_uuid

MOST_BYTES = 16 << 10
# Ten thousand pairs, by UUID, and a capacity of five thousand tutors.
MOST_ASSIGNMENT_BYTES = 16 << 20

router = APIRouter(
    prefix="/api/matching",
    tags=["matching"],
    responses=documented(400, 401, 403, 409, 413, 415, 503),
    route_class=ApiRoute,
)

OffersDep = Annotated[Offers, from_state("offers")]
SlateId = Annotated[UUID, Path(description="`slate_id` of the slate.")]


@router.post(
    "/students/{student_id}/offers",
    status_code=201,
    response_model=OfferSlate,
    responses=documented(404, 429),
    openapi_extra=body_of(OfferRequest, bodies.JSON),
)
async def post_offers(
    request: Request, caller: CurrentIngester, offers: OffersDep, student_id: IdPath, _: NoQuery
) -> OfferSlate:
    """Tutors to show to a student, best first. Records who was offered, with which probability: request it when you are
    about to show it, and keep the order. Leaves out tutors who have met the student or are full."""
    student = uuid_of(student_id, NO_STUDENT)
    async with offers.turn(caller):
        wanted = await bodies.read_model(request, OfferRequest, MOST_BYTES)
        return await offers.offer(student, wanted, caller.actor)


@router.post(
    "/offers/{slate_id}/accept",
    response_model=OfferSlate,
    responses=documented(404),
    openapi_extra=body_of(OfferAcceptance, bodies.JSON),
)
async def post_offer_acceptance(
    request: Request, caller: CurrentIngester, offers: OffersDep, slate_id: SlateId, _: NoQuery
) -> OfferSlate:
    """Record that a tutor of a slate was chosen. The place counts as taken until the pair has a session, for
    `TUTORQ_OFFER_DAYS`. Sending it again changes nothing."""
    accepted = await bodies.read_model(request, OfferAcceptance, MOST_BYTES)
    return await offers.accept(slate_id, entity_uuid(accepted.tutor_id), caller.actor)


@router.post(
    "/assignments/accept",
    response_model=AcceptedAssignment,
    openapi_extra=body_of(AssignmentAcceptance, bodies.JSON),
)
async def post_assignment_acceptance(
    request: Request, caller: CurrentIngester, offers: OffersDep, _: NoQuery
) -> AcceptedAssignment:
    """Accept an assignment: its pairs are recorded as offers with their predictions. 409 if a tutor has too few open
    places by now. Sending it again changes nothing."""
    accepted = await bodies.read_model(request, AssignmentAcceptance, MOST_ASSIGNMENT_BYTES)
    return await offers.accept_assignment(accepted, caller.actor)
