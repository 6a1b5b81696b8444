"""All tutors together."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.caching import NOT_MODIFIED, RevalidatedRoute, answer
from api.dependencies import REQUIRE_READER, NoQuery
from api.platform import queries
from api.platform.schemas import PlatformResponse
from api.problems import documented

router = APIRouter(
    prefix="/api/platform",
    tags=["overview"],
    dependencies=[REQUIRE_READER],
    responses=NOT_MODIFIED | documented(400, 401, 403, 503),
    route_class=RevalidatedRoute,
)


@router.get("", response_model=PlatformResponse)
async def get_platform(request: Request, _: NoQuery) -> Response:
    """Notice of moves and cancellations, and the number of tutors who began or ceased to need attention, by week."""
    return await answer(request, queries.platform())
