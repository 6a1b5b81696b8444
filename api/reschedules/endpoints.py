"""Reschedules can be excused: they stay visible, and no longer count against the tutor."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from api import bodies
from api.dependencies import CurrentAdmin, NoQuery
from api.description import body_of
from api.problems import NotFoundError, documented
from api.reschedules.commands import Excuses
from api.reschedules.schemas import Excuse, ExcusePost
from api.state import from_state
from ingest.contract import LONGEST_ID
from ingest.ids import entity_uuid

# The longest reason, each character escaped (\ud83d\ude00).
MOST_BYTES = 32 << 10

router = APIRouter(prefix="/api/reschedules", tags=["reschedules"], responses=documented(400, 401, 403, 404, 503))

SessionId = Annotated[
    str,
    Path(min_length=1, max_length=LONGEST_ID, description="Id of the session: UUID, or the external id as delivered."),
]


ExcusesDep = Annotated[Excuses, from_state("excuses")]


@router.post(
    "/{session_id}/excuse",
    status_code=201,
    response_model=Excuse,
    responses={200: {"model": Excuse, "description": "Excused already for this reason"}, **documented(409, 413, 415)},
    openapi_extra=body_of(ExcusePost, bodies.JSON),
)
async def post_excuse(
    request: Request, caller: CurrentAdmin, excuses: ExcusesDep, session_id: SessionId, _: NoQuery
) -> Response:
    """Excuse the reschedule of a session. The tutor's scores follow."""
    wanted = await bodies.read_model(request, ExcusePost, MOST_BYTES)
    excuse, is_new = await excuses.add(_uuid(session_id), wanted.reason, caller.actor)
    return Response(excuse.model_dump_json(), 201 if is_new else 200, media_type=bodies.JSON)


@router.delete("/{session_id}/excuse", status_code=204, response_class=Response)
async def delete_excuse(caller: CurrentAdmin, excuses: ExcusesDep, session_id: SessionId, _: NoQuery) -> None:
    """Let the reschedule count again."""
    await excuses.remove(_uuid(session_id), caller.actor)


def _uuid(session_id: str) -> UUID:
    try:
        return entity_uuid(session_id)
    except ValueError as error:
        raise NotFoundError("There is no session with this id.") from error
