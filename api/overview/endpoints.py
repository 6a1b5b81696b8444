"""The platform at a glance."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.auth import READER
from api.caching import NOT_MODIFIED, answer
from api.overview import queries
from api.overview.schemas import OverviewResponse
from api.problems import documented
from api.publication import NoParameters

router = APIRouter(
    prefix="/api/overview",
    tags=["overview"],
    dependencies=[READER],
    responses=NOT_MODIFIED | documented(400, 401, 403, 503),
)


@router.get("", response_model=OverviewResponse)
async def get_overview(request: Request, _: Annotated[NoParameters, Query()]) -> Response:
    """Tutors per risk status, platform rates, the weekly series and the newest flags."""
    return await answer(request, queries.overview())
