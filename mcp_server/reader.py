"""Reads from the API over HTTP, with one key; whatever goes wrong is a sentence that an assistant can pass on."""

import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import httpx2
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError

PATIENCE_SECONDS = 30
MINUTE = 60
NO_KEY = "Send a tutorq key in the header X-API-Key (tutorq keys create --name assistant --role read)."
ADVICE = {
    401: "The key is unknown, revoked or has ended: make one with `tutorq keys create --name assistant --role read`.",
    403: "The key may not read this: make one with `tutorq keys create --name assistant --role read`.",
}


class Reader:
    """GET requests to the API.

    With a key of its own it sends that one (stdio, where the client has started this process). Without, it passes on
    the key of each request, so that a port of this machine opens nothing by itself (HTTP).
    """

    def __init__(
        self, base_url: str, key: str | None, calls_per_minute: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.base_url = base_url
        self._key = key
        self._most = calls_per_minute
        self._clock = clock
        self._calls: deque[float] = deque()
        self._session = secrets.token_hex(4)
        self._requests = 0
        self._client = httpx2.AsyncClient(base_url=base_url, timeout=PATIENCE_SECONDS)

    async def get(self, context: Context, *path: str, **query: object) -> dict[str, Any]:
        """The JSON answer of `/api/…`; parts of the path are escaped, queries that are None are left out.

        Raises:
            ToolError: too many calls, no key, no API, or the API's refusal in its own words.
        """
        self._spend()
        self._requests += 1
        headers = {"X-API-Key": self._key_of(context.headers), "X-Request-Id": f"mcp-{self._session}-{self._requests}"}
        address = "/".join(("/api", *(quote(part, safe="") for part in path)))
        wanted = {name: value for name, value in query.items() if value is not None}
        try:
            answer = await self._client.get(address, params=wanted, headers=headers)  # type: ignore[arg-type]
        except httpx2.TimeoutException:
            raise ToolError(f"tutorq did not answer within {PATIENCE_SECONDS} seconds. Try again later.") from None
        except httpx2.TransportError as error:
            why = type(error).__name__
            raise ToolError(f"tutorq cannot be reached at {self.base_url} ({why}). Does `tutorq up` run?") from None
        if answer.is_success:
            return dict(answer.json())
        raise ToolError(_refusal(answer))

    def _key_of(self, headers: Mapping[str, str] | None) -> str:
        key = self._key or (headers or {}).get("x-api-key")
        if not key:
            raise ToolError(NO_KEY)
        return key

    def _spend(self) -> None:
        """An assistant that goes round in circles stops here, not at the database."""
        now = self._clock()
        while self._calls and self._calls[0] <= now - MINUTE:
            self._calls.popleft()
        if len(self._calls) >= self._most:
            wait = int(self._calls[0] + MINUTE - now) + 1
            raise ToolError(f"Rate limit exceeded: {self._most} calls a minute. Wait {wait} seconds.")
        self._calls.append(now)


def _refusal(answer: httpx2.Response) -> str:
    """What the API says, and what to do."""
    try:
        problem = answer.json()
        said = f"{problem['title']}. {problem['detail']}"
        said += "".join(f" {error['field']}: {error['message']}." for error in problem.get("errors") or ())
    except (ValueError, KeyError, TypeError):
        said = f"{answer.url.host} answered with status {answer.status_code}, and not as tutorq does."
    if answer.status_code in (429, 503) and (wait := answer.headers.get("Retry-After")):
        said += f" Wait {wait} seconds."
    return f"{said} {ADVICE[answer.status_code]}" if answer.status_code in ADVICE else said
