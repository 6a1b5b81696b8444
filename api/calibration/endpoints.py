"""How well flags and forecasts hold."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.caching import NOT_MODIFIED, RevalidatedRoute, answer
from api.calibration import queries
from api.calibration.schemas import CalibrationFilters, CalibrationResponse
from api.dependencies import REQUIRE_READER
from api.problems import documented

router = APIRouter(
    prefix="/api/calibration",
    tags=["overview"],
    dependencies=[REQUIRE_READER],
    responses=NOT_MODIFIED | documented(400, 401, 403, 503),
    route_class=RevalidatedRoute,
)


@router.get("", response_model=CalibrationResponse)
async def get_calibration(request: Request, filters: Annotated[CalibrationFilters, Query()]) -> Response:
    """Forecasts of the last year against outcomes: flags, ranges, and how soon a rise was flagged.

    For every Monday, each tutor's forecast is compared with the next 30 days. Computed at night.
    """
    return await answer(request, queries.calibration(filters), queries.describe)
