"""Events: what has changed, as it happens. For pages and programs that need not ask again and again."""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from api.auth import Require
from api.bodies import invalid
from api.browser_sessions import BrowserCaller
from api.callers import AnyCaller
from api.events.cursor import HEADER, LONGEST, Cursor
from api.events.hub import Hub
from api.events.schemas import EventFilters, described
from api.events.streams import Stream
from api.problems import FieldError, ForbiddenError, TooManyFailedKeysError, UnauthorizedError, documented
from api.routing import ApiRoute
from api.state import from_state
from core.roles import Role

# Proxies would gather what is sent, and caches keep it.
HEADERS: Mapping[str, str] = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

router = APIRouter(
    prefix="/api/events", tags=["events"], responses=documented(400, 401, 403, 429, 503), route_class=ApiRoute
)

HubDep = Annotated[Hub, from_state("events")]
READER = Require(Role.READ)
LastEventId = Annotated[
    str | None,
    Header(
        alias=HEADER, max_length=LONGEST, description="Continue after this event: the last `id:` that you received."
    ),
]


class EventStream(StreamingResponse):
    """The answer, which lasts until somebody ends it. Whether there is room for it is known before it begins.

    No `EventSourceResponse`: FastAPI runs those itself, each with a task and a buffer more, and encodes every event for
    every stream anew.
    """

    media_type = "text/event-stream"

    def __init__(self, opening: AbstractAsyncContextManager[tuple[Stream, bytes]], seconds: float | None) -> None:
        super().__init__((), headers=HEADERS)
        self._opening = opening
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._opening as (stream, first):
            self.body_iterator = stream.chunks(first)
            timer = None
            if self._seconds is not None:
                timer = asyncio.get_running_loop().call_later(self._seconds, stream.end)
            try:
                await super().__call__(scope, receive, send)
            finally:
                if timer is not None:
                    timer.cancel()


@router.get("", status_code=200, response_class=EventStream, response_model=None, openapi_extra=described())
async def stream_events(
    request: Request,
    caller: Annotated[AnyCaller, Depends(READER)],
    hub: HubDep,
    filters: Annotated[EventFilters, Query()],
    last_event_id: LastEventId = None,
) -> EventStream:
    """Changes as they happen: server-sent events, each with its kind in `event:` and JSON in `data:`. A client that
    reconnects with the last `id:` gets the events in between; `reset` means that some are already deleted. Without an
    id, the stream begins now. At most 20 streams at a time for each key or person."""
    is_mine = filters.scope == "mine"
    if is_mine and not (isinstance(caller, BrowserCaller) and caller.person_id is not None):
        raise invalid([FieldError(field="scope", message="only people have tutors of their own")])
    since = None
    if last_event_id:
        since = Cursor.of(last_event_id, HEADER)
    elif filters.last_event_id:
        since = Cursor.of(filters.last_event_id, "last_event_id")

    async def may_still_listen() -> bool:
        try:
            return await READER.caller(request) == caller
        except (UnauthorizedError, ForbiddenError, TooManyFailedKeysError):
            return False

    return EventStream(hub.stream(caller, may_still_listen, since, is_mine=is_mine), filters.seconds)
