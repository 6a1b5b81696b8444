"""Tutors who could give a planned session in place of its tutor."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.caching import NOT_MODIFIED, RevalidatedRoute
from api.dependencies import REQUIRE_READER, CurrentReader
from api.exports import answer_list
from api.paging import LINKED
from api.paths import IdPath, uuid_of
from api.problems import documented
from api.stand_ins import queries
from api.stand_ins.schemas import StandIn, StandInList, StandInPage

router = APIRouter(
    prefix="/api/sessions/{session_id}/stand-ins",
    tags=["sessions"],
    dependencies=[REQUIRE_READER],
    responses=NOT_MODIFIED | documented(400, 401, 403, 404, 503),
    route_class=RevalidatedRoute,
)


@router.get("", response_model=StandInList, responses=LINKED)
async def list_stand_ins(
    request: Request, caller: CurrentReader, session_id: IdPath, page: Annotated[StandInPage, Query()]
) -> Response:
    """Active tutors who could hold a planned session; tutors with a raised concern come last.

    Within each group, tutors most likely to hold it come first, by `let_down_probability`, then `churn_probability`.

    They have no overlapping planned session (a session of unknown length counts as 60 minutes), and they teach its
    subject, or a subject of the student if the session has none. A tutor without subjects fits every subject. The
    session's own tutor is left out. 404 if the session does not exist or is not planned.
    """
    query = partial(queries.stand_ins, uuid_of(session_id, queries.NOT_PLANNED))
    return await answer_list(request, caller, "stand-ins", StandIn, page, query)
