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
    """Active tutors who could give a planned session, tutors with a raised concern last.

    Otherwise, those come first who are likeliest to hold it, by `let_down_probability`, then `churn_probability`.

    They have no planned session that overlaps, where a session without a known length takes 60 minutes; and they teach
    its subject, or a subject of the student if the session has none. A tutor who names no subject fits. The session's
    own tutor is not among them. 404 if there is no such session, or if it is not planned.
    """
    query = partial(queries.stand_ins, uuid_of(session_id, queries.NOT_PLANNED))
    return await answer_list(request, caller, "stand-ins", StandIn, page, query)
