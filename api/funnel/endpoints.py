"""The funnel plot."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.caching import NOT_MODIFIED, RevalidatedRoute, answer
from api.dependencies import REQUIRE_READER
from api.funnel import queries
from api.funnel.schemas import FunnelResponse
from api.problems import documented
from api.tutors.schemas import TutorConditions

router = APIRouter(
    prefix="/api/funnel",
    tags=["funnel"],
    dependencies=[REQUIRE_READER],
    responses=NOT_MODIFIED | documented(400, 401, 403, 503),
    route_class=RevalidatedRoute,
)


@router.get("", response_model=FunnelResponse)
async def get_funnel(request: Request, conditions: Annotated[TutorConditions, Query()]) -> Response:
    """Sessions against let-down rates of all matching tutors, in one answer without pages."""
    return await answer(request, queries.funnel(conditions))
