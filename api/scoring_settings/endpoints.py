"""Settings of scoring: leads see them, admins apply others."""

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import bodies
from api.caching import NOT_MODIFIED, answer_by_content
from api.dependencies import CurrentAdmin, CurrentLead, NoQuery
from api.description import body_of
from api.problems import documented
from api.routing import ApiRoute
from api.scoring_settings.commands import ScoringCommands
from api.scoring_settings.queries import ScoringQueries
from api.scoring_settings.schemas import ScoringPatch, ScoringResponse
from api.state import from_state

MOST_BYTES = 16 << 10

router = APIRouter(
    prefix="/api/scoring-settings",
    tags=["scoring"],
    responses=documented(400, 401, 403, 503),
    route_class=ApiRoute,
)

CommandsDep = Annotated[ScoringCommands, from_state("scoring_commands")]
QueriesDep = Annotated[ScoringQueries, from_state("scoring_queries")]


@router.get("", response_model=ScoringResponse, responses=NOT_MODIFIED)
async def get_scoring_settings(request: Request, _: CurrentLead, queries: QueriesDep, __: NoQuery) -> Response:
    """Every adjustable setting of scoring: its configured, effective and published value, and who applied which."""
    return answer_by_content(request, await queries.current())


@router.patch(
    "",
    response_model=ScoringResponse,
    responses=documented(413, 415),
    openapi_extra=body_of(ScoringPatch, bodies.JSON),
)
async def patch_scoring_settings(
    request: Request, caller: CurrentAdmin, commands: CommandsDep, queries: QueriesDep, _: NoQuery
) -> Response:
    """Apply settings. They count from the next run on, which begins within seconds. The audit log records the
    changes."""
    patch = await bodies.read_model(request, ScoringPatch, MOST_BYTES)
    await commands.apply(patch.changes.changes(), patch.note, caller.actor)
    return Response(await queries.current(), media_type=bodies.JSON)


@router.delete("", response_model=ScoringResponse)
async def delete_scoring_settings(
    caller: CurrentAdmin, commands: CommandsDep, queries: QueriesDep, _: NoQuery
) -> Response:
    """Go back to the configured settings, from the next run on. The history stays."""
    await commands.apply(None, None, caller.actor)
    return Response(await queries.current(), media_type=bodies.JSON)
