"""Tutors: the list, one tutor, the history and the explanation."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.caching import NOT_MODIFIED, RevalidatedRoute, answer
from api.dependencies import REQUIRE_READER, CurrentReader, NoQuery
from api.exports import answer_list
from api.paging import LINKED
from api.paths import NO_TUTOR, IdPath, names_of
from api.problems import documented
from api.tutors import queries
from api.tutors.concerns import describe
from api.tutors.explanation import explain
from api.tutors.schemas import (
    HistoryRange,
    TutorExplanationResponse,
    TutorFilters,
    TutorHistoryResponse,
    TutorList,
    TutorResponse,
    TutorRow,
)

router = APIRouter(
    prefix="/api/tutors",
    tags=["tutors"],
    dependencies=[REQUIRE_READER],
    responses=NOT_MODIFIED | documented(400, 401, 403, 503),
    route_class=RevalidatedRoute,
)


@router.get("", response_model=TutorList, responses=LINKED)
async def list_tutors(request: Request, caller: CurrentReader, filters: Annotated[TutorFilters, Query()]) -> Response:
    """Tutors with their scores. By default, tutors most likely above the threshold come first."""
    return await answer_list(request, caller, "tutors", TutorRow, filters, queries.tutor_list)


@router.get("/{tutor_id}", response_model=TutorResponse, responses=documented(404))
async def get_tutor(request: Request, tutor_id: IdPath, _: NoQuery) -> Response:
    """One tutor's scores, concerns and profile."""
    return await answer(request, queries.tutor(names_of(tutor_id, NO_TUTOR)), describe)


@router.get("/{tutor_id}/history", response_model=TutorHistoryResponse, responses=documented(404))
async def get_tutor_history(
    request: Request,
    tutor_id: IdPath,
    wanted: Annotated[HistoryRange, Query()],
) -> Response:
    """The events of one tutor's sessions, the weekly trend of tutor and platform, and the scores day by day."""
    return await answer(request, queries.tutor_history(names_of(tutor_id, NO_TUTOR), wanted))


@router.get("/{tutor_id}/explanation", response_model=TutorExplanationResponse, responses=documented(404))
async def get_tutor_explanation(request: Request, tutor_id: IdPath, _: NoQuery) -> Response:
    """Why the tutor has this status and score: components, sessions that count, and what ends a flag."""
    return await answer(request, queries.tutor_explanation(names_of(tutor_id, NO_TUTOR)), explain)
