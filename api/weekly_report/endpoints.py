"""The weekly report."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.caching import NOT_MODIFIED, answer_by_content
from api.dependencies import CurrentReader
from api.problems import documented
from api.routing import ApiRoute
from api.state import from_state
from api.weekly_report.queries import WeeklyReports
from api.weekly_report.schemas import WeeklyReportResponse, WeekWanted
from reports.weekly import Week

router = APIRouter(
    prefix="/api/weekly-report", tags=["reports"], responses=documented(400, 401, 403, 503), route_class=ApiRoute
)

WeeklyReportsDep = Annotated[WeeklyReports, from_state("weekly_reports")]


@router.get("", response_model=WeeklyReportResponse, responses=NOT_MODIFIED | documented(404))
async def get_weekly_report(
    request: Request, _caller: CurrentReader, reports: WeeklyReportsDep, wanted: Annotated[WeekWanted, Query()]
) -> Response:
    """One week for leads: concerns, let-downs, cases, outcomes, and the week ahead; the same as Monday's mail."""
    week = Week.named(wanted.week) if wanted.week else None
    return answer_by_content(request, await reports.report(week))
