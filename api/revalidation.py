"""The shortest way to a 304: most of what a polling page asks for has not changed."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.state import Revalidate, record_of, route_of

REMEMBERED_ADDRESSES = 4096
LONGEST_ADDRESS = 500


@dataclass(frozen=True, slots=True)
class _Answered:
    revalidate: Revalidate
    route: str | None


class Revalidation:
    """Middleware: answers 304 before FastAPI.

    A route class alone, which is reached through FastAPI's router, gives 0.64 of the answers per second (435 µs of CPU
    each instead of 301). What an address stands for is known from its last full answer; nothing else goes past
    FastAPI, and callers are looked at every time.
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
        if answered is not None:
            request = Request(scope, receive, send)
            if "if-none-match" in request.headers:
                record_of(scope).route = answered.route
                response = await answered.revalidate(request)
                if response is not None:
                    await response(scope, receive, send)
                    return
        await self.app(scope, receive, send)
        revalidate = record_of(scope).revalidate
        if answered is None and revalidate is not None and sum(map(len, address)) <= LONGEST_ADDRESS:
            if len(self._answered) >= REMEMBERED_ADDRESSES:
                self._answered.clear()
            self._answered[address] = _Answered(revalidate, route_of(scope))
