"""What the person who is logged in wants to be told."""

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import bodies
from api.browser_sessions import BrowserCaller
from api.caching import NOT_MODIFIED, answer_by_content
from api.callers import AnyCaller
from api.dependencies import CurrentReader, NoQuery
from api.description import body_of
from api.limits import ActionLimit
from api.notifications.commands import Preferences
from api.notifications.queries import PreferenceQueries
from api.notifications.schemas import NotificationPreferencesPut, NotificationPreferencesResponse
from api.problems import ForbiddenError, documented
from api.report_kinds.schemas import QueuedTestResponse
from api.routing import ApiRoute
from api.state import from_state

# The longest URL, each character escaped.
MOST_BYTES = 32 << 10

router = APIRouter(
    prefix="/api/me/notifications",
    tags=["notifications"],
    responses=documented(400, 401, 403, 503),
    route_class=ApiRoute,
)

PreferencesDep = Annotated[Preferences, from_state("preferences")]
TestLimitDep = Annotated[ActionLimit, from_state("test_limit")]
PreferenceQueriesDep = Annotated[PreferenceQueries, from_state("preference_queries")]


@router.get("", response_model=NotificationPreferencesResponse, responses=NOT_MODIFIED | documented(404))
async def get_my_notifications(
    request: Request, caller: CurrentReader, queries: PreferenceQueriesDep, _: NoQuery
) -> Response:
    """Your notification settings. For logged-in people; keys have none."""
    return answer_by_content(request, await queries.of(_person(caller)))


@router.put(
    "",
    response_model=NotificationPreferencesResponse,
    responses=documented(404, 413, 415),
    openapi_extra=body_of(NotificationPreferencesPut, bodies.JSON),
)
async def put_my_notifications(
    request: Request, caller: CurrentReader, preferences: PreferencesDep, queries: PreferenceQueriesDep, _: NoQuery
) -> Response:
    """Set your notifications from now on: which, where and when."""
    person_id = _person(caller)
    wanted = await bodies.read_model(request, NotificationPreferencesPut, MOST_BYTES)
    await preferences.save(person_id, wanted, caller.actor)
    return Response(await queries.of(person_id), media_type=bodies.JSON)


@router.post("/test", status_code=202, response_model=QueuedTestResponse, responses=documented(409, 429))
async def post_my_notifications_test(
    caller: CurrentReader, preferences: PreferencesDep, limit: TestLimitDep, _: NoQuery
) -> Response:
    """Send a test with made-up facts to your own chat, once; the log of mail shows the result. For a test by mail, use
    `/api/reports/kinds/notification/test`."""
    return Response(await preferences.test_chat(_person(caller), caller.actor, limit), 202, media_type=bodies.JSON)


def _person(caller: AnyCaller) -> int:
    """
    Raises:
        ForbiddenError: it is a key, or a browser that a key opened.
    """
    if isinstance(caller, BrowserCaller) and caller.person_id is not None:
        return caller.person_id
    raise ForbiddenError("Notifications are for people: log in as one.")
