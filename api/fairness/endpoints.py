"""The fairness audit."""

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from api.auth import Require
from api.caching import NOT_MODIFIED, RevalidatedRoute, answer
from api.dependencies import NoQuery
from api.fairness import queries
from api.fairness.schemas import FairnessResponse
from api.problems import documented
from core.roles import Role

router = APIRouter(
    prefix="/api/fairness",
    tags=["overview"],
    # Who excuses is named.
    dependencies=[Depends(Require(Role.LEAD))],
    responses=NOT_MODIFIED | documented(400, 401, 403, 503),
    route_class=RevalidatedRoute,
)


@router.get("", response_model=FairnessResponse)
async def get_fairness(request: Request, _query: NoQuery) -> Response:
    """Groups of tutors compared with all others: raised concerns, excused sessions, and who excuses. For leads and
    admins.

    Computed at night. A difference is named only if it is more than chance, with a controlled share of false ones. It
    is a question, not a verdict.
    """
    return await answer(request, queries.FAIRNESS, queries.describe)
