"""The shortest way to endpoints that are called very often."""

from collections.abc import Awaitable, Callable, Mapping

from fastapi import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import ApiError, problem_response

Endpoint = Callable[[Request], Awaitable[Response]]


class DirectRoutes:
    """Innermost middleware: calls endpoints by method and path, past the router, which takes several times as long
    as such an endpoint needs itself.

    They get nothing but the request: FastAPI describes their dependencies, and does not run them.
    """

    def __init__(self, app: ASGIApp, endpoints: Mapping[tuple[str, str], Endpoint]) -> None:
        self.app = app
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if endpoint is None:
            await self.app(scope, receive, send)
            return
        scope["tutorq.route"] = scope["path"]
        try:
            response = await endpoint(Request(scope, receive, send))
        except ApiError as error:
            response = problem_response(scope["tutorq.request_id"], error)
        await response(scope, receive, send)
