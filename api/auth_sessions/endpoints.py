"""Log-in of people at a browser. The cookie is out of reach of scripts, and other sites cannot make use of it."""

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import bodies
from api.addresses import address_of
from api.auth import COOKIE, forbid_forgery
from api.auth_sessions.schemas import BrowserSession, LogIn
from api.browser_sessions import LONGEST, BrowserCaller, BrowserSessions
from api.dependencies import CurrentBrowser
from api.description import body_of
from api.key_ring import KeyRing, Refused, Why
from api.limits import ActionLimit, FailureLimit
from api.problems import ForbiddenError, UnauthorizedError, documented
from api.refusals import Refusals
from api.state import from_state
from core.audit import Action
from core.keys import Role

MOST_BYTES = 4 << 10
# Other pages of the same host, such as Dagster's, need not get the cookie.
COOKIE_PATH = "/api"
# Pages and answers that this browser has kept. Browsers heed it on https and on localhost.
FORGET = {"Cache-Control": "no-store", "Clear-Site-Data": '"cache"'}
LINK_OVER = "The link has been used, or is too old. `tutorq login-link` makes another one."

router = APIRouter(prefix="/api/auth/session", tags=["auth"], responses=documented(400, 401, 403, 503))


BrowserSessionsDep = Annotated[BrowserSessions, from_state("browser_sessions")]
KeyRingDep = Annotated[KeyRing, from_state("key_ring")]
LogInLimitDep = Annotated[ActionLimit, from_state("log_in_limit")]
FailedLogInLimitDep = Annotated[FailureLimit, from_state("failed_log_in_limit")]
RefusalsDep = Annotated[Refusals, from_state("refusals")]


@router.post(
    "",
    status_code=201,
    response_model=BrowserSession,
    responses=documented(413, 415, 429),
    openapi_extra=body_of(LogIn, bodies.JSON),
)
async def post_auth_session(
    request: Request,
    sessions: BrowserSessionsDep,
    key_ring: KeyRingDep,
    limit: LogInLimitDep,
    failures: FailedLogInLimitDep,
    refusals: RefusalsDep,
) -> Response:
    """Log in with a key (role read or admin) or the token of a one-time link. The answer sets the cookie."""
    log_in = await bodies.read_model(request, LogIn, MOST_BYTES)
    address = address_of(request)
    opened = await _open(sessions, key_ring, limit, log_in, address)
    if isinstance(opened, Refused):
        refusals.note(Action.LOG_IN_REFUSED, address, opened)
        failures.note(address)
        raise UnauthorizedError(LINK_OVER if log_in.token is not None else opened.detail)
    cookie, caller = opened
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
    """Log out, and have the browser forget what it has kept. Without a session there is nothing to do, which is no
    error."""
    if cookie := request.cookies.get(COOKIE):
        forbid_forgery(request)
        await sessions.close(cookie)
    response = Response(status_code=204, headers=FORGET)
    response.delete_cookie(COOKIE, path=COOKIE_PATH, secure=_is_https(request), httponly=True, samesite="strict")
    return response


async def _open(
    sessions: BrowserSessions, key_ring: KeyRing, limit: ActionLimit, log_in: LogIn, address: str
) -> tuple[str, BrowserCaller] | Refused:
    if log_in.token is not None:
        return await sessions.open_for_token(log_in.token, address) or Refused(Why.UNKNOWN)
    key = await key_ring.find(log_in.api_key or "")
    if isinstance(key, Refused):
        return key
    if key.role is Role.INGEST:
        raise ForbiddenError("It has the role ingest, which sees nothing of the dashboard.")
    limit.spend(key.key_id)
    return await sessions.open_for_key(key.key_id, key.name, key.role, address)


def _answer(caller: BrowserCaller, status: int) -> Response:
    body = BrowserSession(name=caller.name, role=caller.role, expires_at=caller.expires_at)
    return Response(body.model_dump_json(), status, {"Cache-Control": "no-store"}, bodies.JSON)


def _is_https(request: Request) -> bool:
    """As the browser sees it. A forged header harms only the one who sends it: the browser keeps the cookie back."""
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))
