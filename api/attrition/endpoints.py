"""How probable it is that a tutor stops, and what speaks for it."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.attrition import queries
from api.attrition.labels import with_labels
from api.attrition.schemas import TutorAttritionResponse
from api.caching import NOT_MODIFIED, RevalidatedRoute, answer
from api.dependencies import REQUIRE_READER, NoQuery
from api.paths import NO_TUTOR, IdPath, names_of
from api.problems import documented

router = APIRouter(
    prefix="/api/tutors/{tutor_id}/attrition",
    tags=["tutors"],
    dependencies=[REQUIRE_READER],
    responses=NOT_MODIFIED | documented(400, 401, 403, 404, 503),
    route_class=RevalidatedRoute,
)


@router.get("", response_model=TutorAttritionResponse)
async def get_tutor_attrition(request: Request, tutor_id: IdPath, _: NoQuery) -> Response:
    """The probability that the tutor stops within 60 days, and the reasons. Do not show it to the tutor."""
    return await answer(request, queries.attrition(names_of(tutor_id, NO_TUTOR)), with_labels)
