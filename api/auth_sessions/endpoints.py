"""Log-in of people at a browser. The cookie is out of reach of scripts, and other sites cannot make use of it."""

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import bodies
from api.auth import COOKIE, KeyRing, forbid_forgery
from api.auth_sessions.schemas import BrowserSession, LogIn
from api.browser_sessions import LONGEST, BrowserCaller, BrowserSessions
from api.dependencies import CurrentBrowser
from api.description import body_of
from api.limits import LogInLimit
from api.problems import ForbiddenError, UnauthorizedError, documented
from api.state import from_state
from core.keys import Role

MOST_BYTES = 4 << 10
# Other pages of the same host, such as Dagster's, need not get the cookie.
COOKIE_PATH = "/api"

router = APIRouter(prefix="/api/auth/session", tags=["auth"], responses=documented(400, 401, 403, 503))


BrowserSessionsDep = Annotated[BrowserSessions, from_state("browser_sessions")]
KeyRingDep = Annotated[KeyRing, from_state("key_ring")]
LogInLimitDep = Annotated[LogInLimit, from_state("log_in_limit")]


@router.post(
    "",
    status_code=201,
    response_model=BrowserSession,
    responses=documented(413, 415, 429),
    openapi_extra=body_of(LogIn, bodies.JSON),
)
async def post_auth_session(
    request: Request, sessions: BrowserSessionsDep, key_ring: KeyRingDep, limit: LogInLimitDep
) -> Response:
    """Log in with a key (role read or admin) or the token of a one-time link. The answer sets the cookie."""
    address = request.client.host if request.client else ""
    limit.spend(address)
    log_in = await bodies.read_model(request, LogIn, MOST_BYTES)
    cookie, caller = await _open(sessions, key_ring, log_in)
    limit.forgive(address)
    response = _answer(caller, 201)
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=int(LONGEST.total_seconds()),
        path=COOKIE_PATH,
        secure=_is_https(request),
        httponly=True,
        samesite="strict",
    )
    return response


@router.get("", response_model=BrowserSession)
async def get_auth_session(caller: CurrentBrowser) -> Response:
    """Who is logged in at this browser."""
    return _answer(caller, 200)


@router.delete("", status_code=204, response_class=Response)
async def delete_auth_session(request: Request, sessions: BrowserSessionsDep) -> Response:
    """Log out. Without a session there is nothing to do, which is no error."""
    if cookie := request.cookies.get(COOKIE):
        forbid_forgery(request)
        await sessions.close(cookie)
    response = Response(status_code=204, headers={"Cache-Control": "no-store"})
    response.delete_cookie(COOKIE, path=COOKIE_PATH, secure=_is_https(request), httponly=True, samesite="strict")
    return response


async def _open(sessions: BrowserSessions, key_ring: KeyRing, log_in: LogIn) -> tuple[str, BrowserCaller]:
    if log_in.token is not None:
        opened = await sessions.open_for_token(log_in.token)
        if opened is None:
            raise UnauthorizedError("The link has been used, or is too old. `tutorq login-link` makes another one.")
        return opened
    key = await key_ring.find(log_in.api_key or "")
    if key is None:
        raise UnauthorizedError("The key is unknown or revoked.")
    if key.role is Role.INGEST:
        raise ForbiddenError("It has the role ingest, which sees nothing of the dashboard.")
    return await sessions.open_for_key(key.key_id, key.name, key.role)


def _answer(caller: BrowserCaller, status: int) -> Response:
    body = BrowserSession(name=caller.name, role=caller.role, expires_at=caller.expires_at)
    return Response(body.model_dump_json(), status, {"Cache-Control": "no-store"}, bodies.JSON)


def _is_https(request: Request) -> bool:
    """As the browser sees it. A forged header harms only the one who sends it: the browser keeps the cookie back."""
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))
