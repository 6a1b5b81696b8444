"""Log-in to Dagster's pages (`TUTORQ_DAGSTER_LOG_IN`): with a session of the API, which is asked who somebody is.

The API's own cookie is not sent here (it is for /api), so a person logs in once more, with a key or a one-time link.
The cookie of the new session stays in the memory of this process. The browser gets a random one, which means nothing to
the API: cookies know no ports, so whatever else listens at this host name is sent it, too.
Programs send `Authorization: Bearer $TUTORQ_DAGSTER_TOKEN`.
"""

import hmac
import secrets
import time
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from importlib.resources import files

import httpx2
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope

from core.roles import PERSON_ROLES, Role
from core.settings import Settings

COOKIE = "tutorq_dagster"
# Another one, since two servers at one host name share their cookies, and not their memory.
VIEWER_COOKIE = "tutorq_dagster_viewer"
RANDOM_BYTES = 32
API_COOKIE = "tutorq_session"
SESSION_PATH = "/api/auth/session"
PATH = "/tutorq/log-in"
# Versions, and nothing else: what health checks look at.
OPEN_PATHS = ("/server_info",)
# A page asks for dozens of things at once; a session that has been closed ends soon enough.
KNOWN_SECONDS = 10
# Of more sessions than these, the oldest is logged out.
MOST_SESSIONS = 1024
TIMEOUT_SECONDS = 5
MOST_BYTES = 4 << 10
MOST_SECONDS = 7 * 24 * 3600
PAGE = (files("orchestration") / "log_in.html").read_text()
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-store",
}


@dataclass
class _Session:
    """What the API calls it, and what it last said of it."""

    api_cookie: str
    role: str
    known_until: float


class ApiLogIn:
    """Asks the API, and remembers its answer for seconds. `read_only`: the role read will do."""

    def __init__(self, settings: Settings, *, read_only: bool) -> None:
        self._roles = PERSON_ROLES if read_only else (Role.ADMIN,)
        self._token = settings.dagster_token.get_secret_value().encode() if settings.dagster_token else None
        self._client = httpx2.AsyncClient(base_url=settings.api, timeout=TIMEOUT_SECONDS)
        # The sessions are those of the people who ask: the client itself keeps none.
        self._client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._cookie = VIEWER_COOKIE if read_only else COOKIE
        self._sessions: dict[str, _Session] = {}

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
        role = await self._role(connection.cookies.get(self._cookie))
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
        session = self._sessions.get(cookie or "")
        if cookie is None or session is None:
            return None
        now = time.monotonic()
        if session.known_until <= now:
            answer = await self._client.get(SESSION_PATH, headers=_with_cookie(session.api_cookie))
            # 429: too many that were wrong, and this is one of them.
            if answer.status_code in (401, 429):
                self._sessions.pop(cookie, None)
                return None
            answer.raise_for_status()
            session.role, session.known_until = str(answer.json()["role"]), now + KNOWN_SECONDS
        return session.role

    def _remember(self, api_cookie: str, role: str) -> str:
        """The cookie of a new session."""
        while len(self._sessions) >= MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        cookie = secrets.token_urlsafe(RANDOM_BYTES)
        self._sessions[cookie] = _Session(api_cookie, role, time.monotonic() + KNOWN_SECONDS)
        return cookie

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
        # By which its person tells it from others in the list of sessions.
        browser = request.headers.get("user-agent", "").encode("ascii", "ignore").decode().strip()
        headers = {"Content-Type": "application/json", "User-Agent": browser}
        answer = await self._client.post(SESSION_PATH, content=body, headers=headers)
        api_cookie = answer.cookies.get(API_COOKIE)
        if answer.status_code != 201 or not api_cookie:
            return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))
        role = str(answer.json()["role"])
        response = JSONResponse({"role": role}, 201)
        # Lax: a link in a mail leads to the run, not to the log-in. What changes something is guarded by its origin.
        response.set_cookie(
            self._cookie,
            self._remember(api_cookie, role),
            MOST_SECONDS,
            secure=_is_https(request),
            httponly=True,
            samesite="lax",
        )
        return response

    async def _log_out(self, request: Request) -> Response:
        if session := self._sessions.pop(request.cookies.get(self._cookie, ""), None):
            headers = {**_with_cookie(session.api_cookie), "X-Requested-With": "tutorq"}
            await self._client.delete(SESSION_PATH, headers=headers)
        response = Response(status_code=204, headers={"Clear-Site-Data": '"cache"'})
        response.delete_cookie(self._cookie, secure=_is_https(request), httponly=True, samesite="lax")
        return response


def _with_cookie(cookie: str) -> dict[str, str]:
    return {"Cookie": f"{API_COOKIE}={cookie}"}


def _is_https(request: Request) -> bool:
    """As the browser sees it: its origin comes with every POST. A lie harms only the one who tells it."""
    return request.headers.get("origin", "").startswith("https://")
