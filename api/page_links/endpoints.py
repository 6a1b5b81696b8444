"""Links to tutors' own pages: for a marketplace's own pages, and for people who give one to a tutor."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from api import bodies
from api.auth import Require
from api.callers import AnyCaller
from api.dependencies import NoQuery, TeamsDep
from api.page_links.commands import PageLinks
from api.page_links.schemas import PageLinkResponse
from api.paths import NO_TUTOR, IdPath, uuid_of
from api.problems import documented
from api.routing import ApiRoute
from api.state import from_state
from core.roles import Role

router = APIRouter(
    prefix="/api/tutors/{tutor_id}/page-link",
    tags=["appeals"],
    responses=documented(400, 401, 403, 404, 503),
    route_class=ApiRoute,
)

PageLinksDep = Annotated[PageLinks, from_state("page_links")]
# A marketplace's back end sends its tutors on from its own pages.
CurrentCoachOrIngester = Annotated[AnyCaller, Depends(Require(Role.COACH, Role.INGEST))]


@router.post("", status_code=201, response_model=PageLinkResponse, responses=documented(409))
async def post_page_link(
    caller: CurrentCoachOrIngester,
    teams: TeamsDep,
    links: PageLinksDep,
    tutor_id: IdPath,
    _: NoQuery,
) -> Response:
    """Create a link that opens the tutor's own page without a log-in. Coaches: only for their own tutors."""
    key = uuid_of(tutor_id, NO_TUTOR)
    await teams.check_tutor(caller, key)
    made = PageLinkResponse(data=await links.create(key, caller.actor))
    return Response(made.model_dump_json(), 201, {"Cache-Control": "no-store"}, bodies.JSON)


@router.delete("", status_code=204, response_class=Response)
async def delete_page_links(
    caller: CurrentCoachOrIngester,
    teams: TeamsDep,
    links: PageLinksDep,
    tutor_id: IdPath,
    _: NoQuery,
) -> None:
    """Revoke all links of the tutor, and the pages opened with them. Coaches: only for their own tutors."""
    key = uuid_of(tutor_id, NO_TUTOR)
    await teams.check_tutor(caller, key)
    await links.revoke(key, caller.actor)
