"""Sessions can be excused: they stay visible, and no longer count against the tutor."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from api import bodies
from api.dependencies import REQUIRE_READER, CurrentCoach, NoQuery, TeamsDep
from api.description import body_of
from api.excuses.commands import Excuses
from api.excuses.schemas import DayExcuses, Excuse, ExcusePost
from api.paths import NO_SESSION, NO_TUTOR, IdPath, uuid_of
from api.problems import documented
from api.routing import ApiRoute, Deprecation
from api.state import from_state

# The longest reason, each character escaped (\ud83d\ude00).
MOST_BYTES = 32 << 10

router = APIRouter(prefix="/api", tags=["excuses"], responses=documented(400, 401, 403, 404, 503), route_class=ApiRoute)

Day = Annotated[date, Path(description="The day on which the sessions count, in the reporting zone.")]

ExcusesDep = Annotated[Excuses, from_state("excuses")]


# Under its first path, too, from when only moves could be excused.
FIRST_PATH = Deprecation(date(2026, 11, 30), date(2027, 12, 1), "/api/sessions/{session_id}/excuse")


@router.post(
    "/reschedules/{session_id}/excuse",
    name="post_reschedule_excuse",
    status_code=201,
    response_model=Excuse,
    responses={200: {"model": Excuse, "description": "Already excused for this reason"}, **documented(409, 413, 415)},
    deprecated=True,
    openapi_extra=body_of(ExcusePost, bodies.JSON) | FIRST_PATH.extra,
)
@router.post(
    "/sessions/{session_id}/excuse",
    status_code=201,
    response_model=Excuse,
    responses={200: {"model": Excuse, "description": "Already excused for this reason"}, **documented(409, 413, 415)},
    openapi_extra=body_of(ExcusePost, bodies.JSON),
)
async def post_excuse(
    request: Request, caller: CurrentCoach, teams: TeamsDep, excuses: ExcusesDep, session_id: IdPath, _: NoQuery
) -> Response:
    """Excuse a session that was moved, cancelled or missed. The tutor's scores follow. Coaches: only for their own
    tutors."""
    wanted = await bodies.read_model(request, ExcusePost, MOST_BYTES)
    key = uuid_of(session_id, NO_SESSION)
    await teams.check_session(caller, key)
    excuse, is_new = await excuses.add(key, wanted.reason, caller.actor)
    return Response(excuse.model_dump_json(), 201 if is_new else 200, media_type=bodies.JSON)


@router.delete(
    "/reschedules/{session_id}/excuse",
    name="delete_reschedule_excuse",
    status_code=204,
    response_class=Response,
    deprecated=True,
    openapi_extra=FIRST_PATH.extra,
)
@router.delete("/sessions/{session_id}/excuse", status_code=204, response_class=Response)
async def delete_excuse(
    caller: CurrentCoach, teams: TeamsDep, excuses: ExcusesDep, session_id: IdPath, _: NoQuery
) -> None:
    """Let the session count again. Coaches: only for their own tutors."""
    key = uuid_of(session_id, NO_SESSION)
    await teams.check_session(caller, key)
    await excuses.remove(key, caller.actor)


@router.get("/sessions/{session_id}/excuse", response_model=Excuse, dependencies=[REQUIRE_READER])
async def get_excuse(excuses: ExcusesDep, session_id: IdPath, _: NoQuery) -> Excuse:
    """The reason, author and time of a session's excuse."""
    return await excuses.find(uuid_of(session_id, NO_SESSION))


@router.post(
    "/tutors/{tutor_id}/days/{day}/excuse",
    status_code=201,
    response_model=DayExcuses,
    responses={200: {"model": DayExcuses, "description": "All already excused"}, **documented(413, 415)},
    openapi_extra=body_of(ExcusePost, bodies.JSON),
)
async def post_day_excuse(
    request: Request,
    caller: CurrentCoach,
    teams: TeamsDep,
    excuses: ExcusesDep,
    tutor_id: IdPath,
    day: Day,
    _: NoQuery,
) -> Response:
    """Excuse all sessions that the tutor moved, cancelled or missed and that count on one day, such as a day of
    illness. Coaches: only for their own tutors."""
    wanted = await bodies.read_model(request, ExcusePost, MOST_BYTES)
    key = uuid_of(tutor_id, NO_TUTOR)
    await teams.check_tutor(caller, key)
    of_day, is_new = await excuses.add_day(key, day, wanted.reason, caller.actor)
    return Response(of_day.model_dump_json(), 201 if is_new else 200, media_type=bodies.JSON)


@router.delete("/tutors/{tutor_id}/days/{day}/excuse", status_code=204, response_class=Response)
async def delete_day_excuse(
    caller: CurrentCoach, teams: TeamsDep, excuses: ExcusesDep, tutor_id: IdPath, day: Day, _: NoQuery
) -> None:
    """Let all sessions of the day count again. Coaches: only for their own tutors."""
    key = uuid_of(tutor_id, NO_TUTOR)
    await teams.check_tutor(caller, key)
    await excuses.remove_day(key, day, caller.actor)
