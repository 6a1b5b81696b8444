"""One tutor compared with all others."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.caching import NOT_MODIFIED, RevalidatedRoute, answer
from api.comparison import queries
from api.comparison.schemas import ComparisonResponse
from api.dependencies import REQUIRE_READER, NoQuery
from api.paths import NO_TUTOR, IdPath, names_of
from api.problems import documented

router = APIRouter(
    prefix="/api/tutors/{tutor_id}/comparison",
    tags=["tutors"],
    dependencies=[REQUIRE_READER],
    responses=NOT_MODIFIED | documented(400, 401, 403, 404, 503),
    route_class=RevalidatedRoute,
)


@router.get("", response_model=ComparisonResponse)
async def get_tutor_comparison(request: Request, tutor_id: IdPath, _: NoQuery) -> Response:
    """One tutor compared with all others: quality score, notice of moves and cancellations, how often new students come
    back."""
    return await answer(request, queries.comparison(names_of(tutor_id, NO_TUTOR)))
