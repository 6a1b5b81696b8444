"""What stands before Dagster's web server, which itself answers everybody: any page in a browser, by any name.

Dagster runs mutations that come by GET, takes `text/plain; application/json`, which a page of another origin may send
without being asked first, answers to whatever host it is called, and lets other pages open its websocket. So one image
in any page could stop the code location, and a domain that an attacker points to 127.0.0.1 could read everything.
Here each request is looked at before Dagster sees it, and a refusal says why.
"""

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
METHODS = ("GET", "HEAD", "POST")
JSON = "application/json"
# A host as a browser sends it, and nothing that two programs could read in two ways.
HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::\d{1,5})?", re.ASCII)
# Dagster's own headers forbid neither frames (a click on a hidden page is a click) nor embedding.
HEADERS = {
    "X-Frame-Options": "SAMEORIGIN",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
FRAMES = "frame-ancestors 'self'"

log = logging.getLogger("dagster-webserver.guard")


@dataclass(frozen=True)
class Refusal:
    """Why a request does not get to Dagster, and what to do about it."""

    status: int
    reason: str

    def response(self) -> Response:
        return PlainTextResponse(f"{self.reason}\n", self.status)


class LogIn(Protocol):
    """Lets people in, if they have to log in (`orchestration.log_in`)."""

    async def response(self, scope: Scope, receive: Receive) -> Response | None:
        """What to answer instead of Dagster; None: Dagster answers."""


class Guard:
    """An ASGI application that passes on to `app` what a person or a program of ours may have asked for."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = (), log_in: LogIn | None = None) -> None:
        self._app = app
        self._hosts = frozenset({*LOOPBACK, *(host.lower() for host in hosts)})
        self._log_in = log_in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = refusal_of(scope, self._hosts)
        if refusal is not None:
            # Neither the query nor a header: either may hold what nobody should read in a log.
            log.warning("refused %s %.200r: %s", scope.get("method", "websocket"), scope["path"], refusal.reason)
            response: Response | None = refusal.response()
        else:
            response = await self._log_in.response(scope, receive) if self._log_in else None
        if response is None:
            await self._app(scope, receive, _guarded(send) if scope["type"] == "http" else send)
        elif scope["type"] == "http":
            await response(scope, receive, _guarded(send))
        else:
            await send({"type": "websocket.close", "code": 1008})  # before it is accepted: HTTP 403


def refusal_of(scope: Scope, hosts: frozenset[str]) -> Refusal | None:
    """None for a request that may be answered."""
    headers = Headers(scope=scope)
    host = _only(headers, "host") or ""
    if refusal := _wrong_host(host, hosts) or _wrong_page(scope, headers, host):
        return refusal
    return _wrong_form(scope, headers) if scope["type"] == "http" else None


def _wrong_host(host: str, hosts: frozenset[str]) -> Refusal | None:
    """A domain of somebody else that points here would make its pages ours, as far as browsers know."""
    match = HOST.fullmatch(host.lower())
    if match and match["name"] in hosts:
        return None
    return Refusal(421, "This host name is not known here. If it is yours, add it to TUTORQ_DAGSTER_HOSTS.")


def _wrong_page(scope: Scope, headers: Headers, host: str) -> Refusal | None:
    """Pages of other origins may link here, and no more."""
    foreign = Refusal(403, "This request comes from a page of another origin.")
    if headers.getlist("origin"):
        scheme, mark, origin = (_only(headers, "origin") or "").lower().partition("://")
        if not mark or scheme not in ("http", "https") or origin != host.lower():
            return foreign
    # Absent in programs and old browsers. Other ports of the same host are the same site, but not the same origin.
    if (headers.get("sec-fetch-site") or "none") in ("same-origin", "none"):
        return None
    is_link = (
        scope.get("method") == "GET"
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )
    return None if is_link else foreign


def _wrong_form(scope: Scope, headers: Headers) -> Refusal | None:
    """A GET that changes something, or a body that browsers send to anybody without asking first."""
    method = scope["method"]
    if method not in METHODS:
        return Refusal(405, f"Only {', '.join(METHODS)} are answered here.")
    if method == "POST":
        media_type = (_only(headers, "content-type") or "").partition(";")[0].strip().lower()
        return None if media_type == JSON else Refusal(415, f"Send the body as {JSON}.")
    # As Dagster tells the page with an editor for queries from a query.
    is_page = "text/html" in headers.get("accept", "")
    if scope["path"].rstrip("/").endswith("/graphql") and not is_page:
        return Refusal(405, f"Send queries by POST, as {JSON}.")
    return None


def _only(headers: Headers, name: str) -> str | None:
    """The value of a header that is there once; sent twice, who knows which one the next reader takes."""
    values = headers.getlist(name)
    return values[0] if len(values) == 1 else None


def _guarded(send: Send) -> Send:
    """The same, with headers that keep other pages from showing or loading an answer."""

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers.append("Content-Security-Policy", FRAMES)  # beside Dagster's own: both hold
        await send(message)

    return guarded
