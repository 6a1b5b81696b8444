"""The class of every route: Idempotency-Keys for all that is posted, and headers that tell of a coming end.

How the API changes, and how long things stay, is in docs/api.md.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Message, Receive, Scope, Send

from api import idempotency
from api.auth import Require, RequireKey
from api.idempotency import Idempotency

EXTENSION = "x-deprecation"


@dataclass(frozen=True, slots=True)
class Deprecation:
    """Says of an operation that it will end: `@router.get(…, deprecated=True, openapi_extra=Deprecation(…).extra)`.

    `since`: the day on which this was announced. `sunset`: the first day on which it may be gone. `instead`: the path
    of the operation to use.
    """

    since: date
    sunset: date
    instead: str

    @property
    def extra(self) -> dict[str, Any]:
        """`openapi_extra=` of the route, or a part of it."""
        return {EXTENSION: {"since": str(self.since), "sunset": str(self.sunset), "instead": self.instead}}

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Of every answer: RFC 9745 (Deprecation), RFC 8594 (Sunset), and a link to the successor."""
        since, sunset = (datetime.combine(day, time(), UTC) for day in (self.since, self.sunset))
        return [
            (b"deprecation", f"@{int(since.timestamp())}".encode()),
            (b"sunset", format_datetime(sunset, usegmt=True).encode()),
            (b"link", f'<{self.instead}>; rel="successor-version"'.encode()),
        ]

    @staticmethod
    def of(extra: dict[str, Any] | None) -> "Deprecation | None":
        """What `extra` holds."""
        known = (extra or {}).get(EXTENSION)
        if known is None:
            return None
        return Deprecation(date.fromisoformat(known["since"]), date.fromisoformat(known["sunset"]), known["instead"])


class ApiRoute(APIRoute):
    """`route_class=` of every router."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        # The function's name: what the generated clients call the operation.
        super().__init__(path, endpoint, **options | {"generate_unique_id_function": _name_of})
        self._begins = path.partition("{")[0]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """A request is compared with all routes before its own. Most differ before their first parameter, which is
        quicker to see than by the pattern. The path is the route's own: `include_router` with a prefix would hide it.
        """
        if not scope.get("root_path") and not scope["path"].startswith(self._begins):
            return Match.NONE, {}
        return super().matches(scope)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()
        guard = next(
            (each.call for each in self.dependant.dependencies if isinstance(each.call, Require | RequireKey)), None
        )
        if "POST" not in (self.methods or ()) or guard is None:
            return answer

        async def handle(request: Request) -> Response:
            key = idempotency.key_of(request)
            if key is None:
                return await answer(request)
            caller = await guard.caller(request)
            answers: Idempotency = request.state.idempotency
            return await answers.answer(caller, key, request, answer)

        return handle

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        deprecation = Deprecation.of(self.openapi_extra)
        if deprecation is None:
            await super().handle(scope, receive, send)
            return

        async def announced(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *deprecation.headers]
            await send(message)

        await super().handle(scope, receive, announced)


def _name_of(route: APIRoute) -> str:
    return route.name
