"""Single sessions: what is stored of them and was refused, and their deletion."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from api.auth import Require
from api.caching import NOT_MODIFIED, answer_by_content
from api.callers import AnyCaller
from api.dependencies import NoQuery
from api.paths import NO_SESSION, IdPath, uuid_of
from api.problems import documented
from api.routing import ApiRoute
from api.session_records.commands import Deletions
from api.session_records.queries import SessionRecords
from api.session_records.schemas import StoredSessionResponse
from api.state import from_state
from core.roles import Role
from ingest.ids import external_id

router = APIRouter(
    prefix="/api/sessions", tags=["sessions"], responses=documented(400, 401, 403, 404, 503), route_class=ApiRoute
)

SessionRecordsDep = Annotated[SessionRecords, from_state("session_records")]
DeletionsDep = Annotated[Deletions, from_state("deletions")]
# Who posts sessions reads them back.
CurrentReaderOrIngester = Annotated[AnyCaller, Depends(Require(Role.READ, Role.INGEST))]
CurrentDeleter = Annotated[AnyCaller, Depends(Require(Role.INGEST))]


@router.get("/{session_id}", response_model=StoredSessionResponse, responses=NOT_MODIFIED | documented(410))
async def get_session(
    request: Request, caller: CurrentReaderOrIngester, records: SessionRecordsDep, session_id: IdPath, _: NoQuery
) -> Response:
    """One stored session: its version, its moves, its source, and its refused rows. The role `read` sees neither the
    reasons of moves nor the content of refused rows."""
    key = uuid_of(session_id, NO_SESSION)
    with_texts = caller.role is not Role.READ
    return answer_by_content(request, await records.find(key, external_id(session_id), with_texts=with_texts))


@router.delete("/{session_id}", status_code=204, response_class=Response)
async def delete_session(caller: CurrentDeleter, deletions: DeletionsDep, session_id: IdPath, _: NoQuery) -> None:
    """Delete a session and its moves; the scores follow. A version with an `updated_at` after this moment restores it,
    any other version is `stale`. Deleting it again changes nothing."""
    await deletions.delete(uuid_of(session_id, NO_SESSION), caller.actor)
