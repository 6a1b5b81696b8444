"""Today's sessions by hour."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.caching import NOT_MODIFIED, RevalidatedRoute, answer
from api.dependencies import REQUIRE_READER, NoQuery
from api.problems import documented
from api.todays_sessions import queries
from api.todays_sessions.schemas import TodaysSessionsResponse

router = APIRouter(
    prefix="/api/sessions/today",
    tags=["sessions"],
    dependencies=[REQUIRE_READER],
    responses=NOT_MODIFIED | documented(400, 401, 403, 503),
    route_class=RevalidatedRoute,
)


@router.get("", response_model=TodaysSessionsResponse)
async def get_todays_sessions(request: Request, _: NoQuery) -> Response:
    """Sessions of the as-of day by hour: planned ones by let-down risk, others by outcome."""
    return await answer(request, queries.todays_sessions())
