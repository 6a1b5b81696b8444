"""Scheduled sessions, how likely their tutor is to let them down, and their student to miss them."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.caching import NOT_MODIFIED, RevalidatedRoute
from api.dependencies import REQUIRE_READER, CurrentReader
from api.exports import answer_list
from api.paging import LINKED
from api.problems import documented
from api.upcoming import queries
from api.upcoming.schemas import UpcomingFilters, UpcomingList, UpcomingSession

router = APIRouter(
    prefix="/api/sessions/upcoming",
    tags=["sessions"],
    dependencies=[REQUIRE_READER],
    responses=NOT_MODIFIED | documented(400, 401, 403, 503),
    route_class=RevalidatedRoute,
)


@router.get("", response_model=UpcomingList, responses=LINKED)
async def list_upcoming_sessions(
    request: Request, caller: CurrentReader, filters: Annotated[UpcomingFilters, Query()]
) -> Response:
    """Planned sessions. By default, sessions that the tutor is most likely to let down come first."""
    return await answer_list(request, caller, "upcoming-sessions", UpcomingSession, filters, queries.upcoming_sessions)
