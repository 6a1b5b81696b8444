"""Log-in to Dagster's pages (`TUTORQ_DAGSTER_LOG_IN`): with a session of the API, which is asked who somebody is.

The API's own cookie is not sent here (it is for /api), so a person logs in once more, with a key or a one-time link,
and gets a session under a cookie of this server. Programs send `Authorization: Bearer $TUTORQ_DAGSTER_TOKEN`.
"""

import hmac
import re
import time
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from importlib.resources import files

import httpx2
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope

from core.settings import Settings

COOKIE = "tutorq_dagster"
COOKIE_VALUE = re.compile(r"[A-Za-z0-9_-]{1,200}")
API_COOKIE = "tutorq_session"
SESSION_PATH = "/api/auth/session"
PATH = "/tutorq/log-in"
# Versions, and nothing else: what health checks look at.
OPEN_PATHS = ("/server_info",)
# A page asks for dozens of things at once; a session that has been closed ends soon enough.
KNOWN_SECONDS = 10
REMEMBERED = 1024
TIMEOUT_SECONDS = 5
MOST_BYTES = 4 << 10
MOST_SECONDS = 7 * 24 * 3600
PAGE = (files("orchestration") / "log_in.html").read_text()
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class _Known:
    role: str | None
    until: float


class ApiLogIn:
    """Asks the API, and remembers its answer for seconds. `read_only`: the role read will do."""

    def __init__(self, settings: Settings, *, read_only: bool) -> None:
        self._roles = ("read", "admin") if read_only else ("admin",)
        self._token = settings.dagster_token.get_secret_value().encode() if settings.dagster_token else None
        self._client = httpx2.AsyncClient(base_url=settings.api, timeout=TIMEOUT_SECONDS)
        # The sessions are those of the people who ask: the client itself keeps none.
        self._client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._known: dict[str, _Known] = {}

    async def response(self, scope: Scope, receive: Receive) -> Response | None:
        """What to answer instead of Dagster; None: Dagster answers."""
        if scope["path"] in OPEN_PATHS:
            return None
        try:
            if scope["path"] == PATH and scope["type"] == "http":
                return await self._log_in_or_out(Request(scope, receive))
            return await self._let_in(scope)
        except httpx2.HTTPError:
            return PlainTextResponse("The API, which knows who is logged in, does not answer.\n", 503)

    async def _let_in(self, scope: Scope) -> Response | None:
        connection = HTTPConnection(scope)
        if self._is_program(connection.headers):
            return None
        role = await self._role(connection.cookies.get(COOKIE))
        if role in self._roles:
            return None
        if "text/html" in connection.headers.get("accept", ""):
            return HTMLResponse(PAGE, 403 if role else 401, PAGE_HEADERS)
        if role:
            return PlainTextResponse(f"The role {role} is not enough here: {self._roles[-1]} is needed.\n", 403)
        return PlainTextResponse("Log in first.\n", 401)

    def _is_program(self, headers: Headers) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return (
            self._token is not None
            and scheme.lower() == "bearer"
            and hmac.compare_digest(token.strip().encode(), self._token)
        )

    async def _role(self, cookie: str | None) -> str | None:
        if not cookie or not COOKIE_VALUE.fullmatch(cookie):
            return None
        now = time.monotonic()
        known = self._known.get(cookie)
        if known is None or known.until <= now:
            answer = await self._client.get(SESSION_PATH, headers=_with_cookie(cookie))
            if answer.status_code not in (200, 401):
                answer.raise_for_status()
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            role = str(answer.json()["role"]) if answer.status_code == 200 else None
            known = self._known[cookie] = _Known(role, now + KNOWN_SECONDS)
        return known.role

    async def _log_in_or_out(self, request: Request) -> Response:
        """GET: the page. POST: the API's answer to `{"api_key": …}` or `{"token": …}`; `{}` closes the session."""
        if request.method != "POST":
            return HTMLResponse(PAGE, 200, PAGE_HEADERS)
        body = b""
        try:
            async for part in request.stream():
                body += part
                if len(body) > MOST_BYTES:
                    return PlainTextResponse("That is too long.\n", 413)
        except ClientDisconnect:
            return Response(status_code=400)
        if body.strip() == b"{}":
            return await self._log_out(request)
        headers = {"Content-Type": "application/json"}
        if request.client:
            headers["X-Forwarded-For"] = request.client.host
        answer = await self._client.post(SESSION_PATH, content=body, headers=headers)
        cookie = answer.cookies.get(API_COOKIE)
        if answer.status_code != 201 or not cookie:
            return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))
        response = JSONResponse({"role": answer.json()["role"]}, 201)
        # Lax: a link in a mail leads to the run, not to the log-in. What changes something is guarded by its origin.
        response.set_cookie(COOKIE, cookie, MOST_SECONDS, secure=_is_https(request), httponly=True, samesite="lax")
        return response

    async def _log_out(self, request: Request) -> Response:
        if (cookie := request.cookies.get(COOKIE)) and COOKIE_VALUE.fullmatch(cookie):
            await self._client.delete(SESSION_PATH, headers={**_with_cookie(cookie), "X-Requested-With": "tutorq"})
            self._known.pop(cookie, None)
        response = Response(status_code=204, headers={"Clear-Site-Data": '"cache"'})
        response.delete_cookie(COOKIE, secure=_is_https(request), httponly=True, samesite="lax")
        return response


def _with_cookie(cookie: str) -> dict[str, str]:
    return {"Cookie": f"{API_COOKIE}={cookie}"}


def _is_https(request: Request) -> bool:
    """As the browser sees it: its origin comes with every POST. A lie harms only the one who tells it."""
    return request.headers.get("origin", "").startswith("https://")
