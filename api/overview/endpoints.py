"""The platform at a glance."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.caching import NOT_MODIFIED, RevalidatedRoute, answer
from api.dependencies import REQUIRE_READER, NoQuery
from api.overview import queries
from api.overview.schemas import OverviewResponse
from api.problems import documented

router = APIRouter(
    prefix="/api/overview",
    tags=["overview"],
    dependencies=[REQUIRE_READER],
    responses=NOT_MODIFIED | documented(400, 401, 403, 503),
    route_class=RevalidatedRoute,
)


@router.get("", response_model=OverviewResponse)
async def get_overview(request: Request, _: NoQuery) -> Response:
    """Tutors per concern and risk status, platform rates, the weekly series and the newest concerns."""
    return await answer(request, queries.overview(), queries.describe)
