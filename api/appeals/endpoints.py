"""Appeals: what tutors object to, and the decision about it by somebody who had no part in it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from api import bodies
from api.appeals.commands import Appeals
from api.appeals.queries import AppealQueries, response_of
from api.appeals.schemas import (
    GREATEST_ID,
    AnswerPreviewResponse,
    Appeal,
    AppealFilters,
    AppealList,
    AppealPost,
    AppealResponse,
    DecisionPost,
)
from api.auth import Require
from api.caching import NOT_MODIFIED, answer_by_content
from api.callers import AnyCaller
from api.dependencies import CurrentIngester, CurrentLead, CurrentReader, NoQuery
from api.description import body_of
from api.exports import answer_pages
from api.paging import LINKED
from api.problems import documented
from api.routing import ApiRoute
from api.state import from_state
from core.roles import Role

# Answer and text at their longest, each character escaped, and the sessions.
MOST_BYTES = 64 << 10

router = APIRouter(
    prefix="/api/appeals", tags=["appeals"], responses=documented(400, 401, 403, 503), route_class=ApiRoute
)

AppealId = Annotated[int, Path(ge=1, le=GREATEST_ID, description="Number of the appeal.")]
AppealsDep = Annotated[Appeals, from_state("appeals")]
AppealQueriesDep = Annotated[AppealQueries, from_state("appeal_queries")]
# Who sends appeals reads them back.
CurrentReaderOrIngester = Annotated[AnyCaller, Depends(Require(Role.READ, Role.INGEST))]
WRITTEN = documented(404, 409, 413, 415)


@router.get("", response_model=AppealList, responses=NOT_MODIFIED | LINKED)
async def list_appeals(
    request: Request, caller: CurrentReader, queries: AppealQueriesDep, filters: Annotated[AppealFilters, Query()]
) -> Response:
    """Appeals of all tutors; by default, those due first come first."""
    return await answer_pages(request, caller, "appeals", Appeal, filters, lambda part: queries.page(part, caller))


@router.post(
    "",
    status_code=201,
    response_model=AppealResponse,
    responses=WRITTEN,
    openapi_extra=body_of(AppealPost, bodies.JSON),
)
async def post_appeal(
    request: Request, caller: CurrentIngester, appeals: AppealsDep, queries: AppealQueriesDep, _: NoQuery
) -> Response:
    """Send an appeal for a tutor, from a marketplace's own pages or by phone. The tutor gets a mail with the last day
    for an answer. The sender cannot decide it."""
    wanted = await bodies.read_model(request, AppealPost, MOST_BYTES)
    appeal_id = await appeals.open_for(wanted.tutor_id, wanted, caller.actor)
    return Response(response_of(await queries.one(appeal_id, caller)), 201, media_type=bodies.JSON)


@router.get("/{appeal_id:int}", response_model=AppealResponse, responses=NOT_MODIFIED | documented(404))
async def get_appeal(
    request: Request, caller: CurrentReaderOrIngester, queries: AppealQueriesDep, appeal_id: AppealId, _: NoQuery
) -> Response:
    """One appeal with its sessions, and whether you may decide it. Keys of the role `ingest`: only appeals that they
    sent."""
    return answer_by_content(request, response_of(await queries.one(appeal_id, caller)))


@router.post(
    "/{appeal_id:int}/decision",
    response_model=AppealResponse,
    responses=WRITTEN,
    openapi_extra=body_of(DecisionPost, bodies.JSON),
)
async def post_appeal_decision(
    request: Request,
    caller: CurrentLead,
    appeals: AppealsDep,
    queries: AppealQueriesDep,
    appeal_id: AppealId,
    _: NoQuery,
) -> Response:
    """Grant or decline an appeal, as a person who had no part in the matter. Granted sessions are excused, or corrected
    by a newer version; the scores follow, and the tutor gets the answer by mail."""
    wanted = await bodies.read_model(request, DecisionPost, MOST_BYTES)
    await appeals.decide(appeal_id, wanted, caller)
    return Response(response_of(await queries.one(appeal_id, caller)), media_type=bodies.JSON)


@router.post(
    "/{appeal_id:int}/decision/preview",
    response_model=AnswerPreviewResponse,
    responses=WRITTEN,
    openapi_extra=body_of(DecisionPost, bodies.JSON),
)
async def post_appeal_decision_preview(
    request: Request, caller: CurrentLead, appeals: AppealsDep, appeal_id: AppealId, _: NoQuery
) -> Response:
    """The mail that a decision would send. Nothing is sent or stored."""
    wanted = await bodies.read_model(request, DecisionPost, MOST_BYTES)
    shown = AnswerPreviewResponse(data=await appeals.preview(appeal_id, wanted, caller))
    return Response(shown.model_dump_json(), media_type=bodies.JSON)


@router.post("/{appeal_id:int}/withdrawal", status_code=204, response_class=Response, responses=documented(404, 409))
async def post_appeal_withdrawal(caller: CurrentIngester, appeals: AppealsDep, appeal_id: AppealId, _: NoQuery) -> None:
    """Take back an open appeal that you sent for a tutor. Tutors take back their own on their page."""
    await appeals.withdraw_for(appeal_id, caller)
