"""What other settings of scoring would have done: asked here, answered by a run of Dagster, polled here."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from api import bodies
from api.caching import NOT_MODIFIED, answer_by_content
from api.dependencies import CurrentLead, NoQuery
from api.description import body_of
from api.problems import documented
from api.routing import ApiRoute
from api.state import from_state
from api.what_if.commands import WhatIfs
from api.what_if.queries import WhatIfQueries
from api.what_if.schemas import WhatIfAccepted, WhatIfList, WhatIfPost, WhatIfResponse

MOST_BYTES = 16 << 10

router = APIRouter(
    prefix="/api/what-if",
    tags=["scoring"],
    responses=documented(400, 401, 403, 503),
    route_class=ApiRoute,
)

WhatIfsDep = Annotated[WhatIfs, from_state("what_ifs")]
QueriesDep = Annotated[WhatIfQueries, from_state("what_if_queries")]
WhatIfId = Annotated[UUID, Path(description="`what_if_id` from the answer to the POST.")]


@router.get("", response_model=WhatIfList, responses=NOT_MODIFIED)
async def list_what_ifs(request: Request, _: CurrentLead, queries: QueriesDep, __: NoQuery) -> Response:
    """What-ifs of the last week."""
    return answer_by_content(request, await queries.newest())


@router.post(
    "",
    status_code=202,
    response_model=WhatIfAccepted,
    responses=documented(413, 415),
    openapi_extra=body_of(WhatIfPost, bodies.JSON),
)
async def post_what_if(request: Request, caller: CurrentLead, what_ifs: WhatIfsDep, _: NoQuery) -> WhatIfAccepted:
    """Compute the effect of other settings today and in the last weeks. Changes nothing. One what-if is computed at a
    time; 503 while another one is in progress."""
    post = await bodies.read_model(request, WhatIfPost, MOST_BYTES)
    what_if_id = await what_ifs.ask(post, caller.actor)
    return WhatIfAccepted(what_if_id=what_if_id, status_url=f"/api/what-if/{what_if_id}")


@router.get("/{what_if_id}", response_model=WhatIfResponse, responses=NOT_MODIFIED | documented(404))
async def get_what_if(
    request: Request, _: CurrentLead, queries: QueriesDep, what_if_id: WhatIfId, __: NoQuery
) -> Response:
    """The progress of a what-if, and its result once it is done."""
    return answer_by_content(request, await queries.one(what_if_id))
