"""The shortest way to a 304: most of what a polling page asks for has not changed."""

from dataclasses import dataclass

from fastapi import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.auth import Require
from api.caching import Unchanged
from api.database import Marts
from api.parts import part
from api.problems import ApiError, problem_response

REMEMBERED_ADDRESSES = 4096
LONGEST_ADDRESS = 500


@dataclass(frozen=True, slots=True)
class _Answered:
    unchanged: Unchanged
    require: Require
    route: str


class Revalidation:
    """Innermost middleware: answers 304 past the router, which takes several times as long as the look at the version.

    What an address means and who may read it is known from its last answer, which came by the router; nothing else
    goes past it. Callers are looked at every time, by the endpoint's own dependency.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._answered: dict[tuple[str, bytes], _Answered] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        address = scope["path"], scope["query_string"]
        answered = self._answered.get(address)
        if answered is not None and (response := await _revalidate(Request(scope, receive, send), answered)):
            scope["tutorq.route"] = answered.route
            await response(scope, receive, send)
            return
        await self.app(scope, receive, send)
        self._remember(address, scope)

    def _remember(self, address: tuple[str, bytes], scope: Scope) -> None:
        unchanged, require = scope.get("tutorq.unchanged"), scope.get("tutorq.require")
        if unchanged is None or require is None or address in self._answered:
            return
        if sum(map(len, address)) > LONGEST_ADDRESS:
            return
        if len(self._answered) >= REMEMBERED_ADDRESSES:
            self._answered.clear()
        self._answered[address] = _Answered(unchanged, require, scope["route"].path)


async def _revalidate(request: Request, answered: _Answered) -> Response | None:
    """304, or why there is no answer for this caller. None: it has changed, or the client does not have it."""
    if "if-none-match" not in request.headers:
        return None
    try:
        await answered.require.caller(request)
        return await answered.unchanged.response(request, part(request, Marts))
    except ApiError as error:
        return problem_response(request.scope["tutorq.request_id"], error)
