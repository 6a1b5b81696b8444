"""Log-in of people at a browser. The cookie is out of reach of scripts, and other sites cannot make use of it."""

from typing import Annotated

import structlog
from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel
from starlette.responses import RedirectResponse, Response

from api import bodies
from api.addresses import address_of, network_of
from api.auth import COOKIE, forbid_forgery
from api.auth_sessions.commands import LinkRequests
from api.auth_sessions.identities import Identities, Turned
from api.auth_sessions.queries import Sessions
from api.auth_sessions.schemas import (
    MOST_ID,
    BrowserSession,
    EndFilters,
    LinkRequest,
    LogIn,
    LogInMethods,
    SessionFilters,
    SessionList,
)
from api.browser_sessions import Browser, BrowserCaller, BrowserSessions
from api.dependencies import CurrentBrowser, CurrentReader, NoQuery, TeamsDep
from api.description import body_of
from api.key_ring import KeyRing, Refused, Why
from api.limits import ActionLimit, FailureLimit
from api.oidc import CALLBACK_PATH, Attempt, Provider, ProviderUnavailableError, RefusedTokenError
from api.problems import ForbiddenError, NotFoundError, UnauthorizedError, documented
from api.refusals import Refusals
from api.routing import ApiRoute
from api.state import from_state
from api.teams import Teams
from core.audit import Action
from core.browser_sessions import LONGEST
from core.roles import Role

MOST_BYTES = 4 << 10
# Other pages of the same host, such as Dagster's, need not get the cookie.
COOKIE_PATH = "/api"
# Pages and answers that this browser has kept. Browsers heed it on https and on localhost.
FORGET = {"Cache-Control": "no-store", "Clear-Site-Data": '"cache"'}
LINK_OVER = "The link has been used, or is too old. Ask for a new one."
LONGEST_USER_AGENT = 300
LONGEST_ERROR = 100
# The log-in page, which says why in words.
REFUSED = "/login#refused="
ATTEMPT_COOKIE = "tutorq_attempt"
ATTEMPT_SECONDS = 600

log = structlog.get_logger("api")

router = APIRouter(prefix="/api/auth", tags=["auth"], responses=documented(400, 401, 403, 503), route_class=ApiRoute)


BrowserSessionsDep = Annotated[BrowserSessions, from_state("browser_sessions")]
SessionsDep = Annotated[Sessions, from_state("sessions")]
SessionId = Annotated[int, Path(ge=1, le=MOST_ID, description="`browser_session_id` in the list.")]
KeyRingDep = Annotated[KeyRing, from_state("key_ring")]
LogInLimitDep = Annotated[ActionLimit, from_state("log_in_limit")]
FailedLogInLimitDep = Annotated[FailureLimit, from_state("failed_log_in_limit")]
ProviderDep = Annotated[Provider | None, from_state("oidc")]
IdentitiesDep = Annotated[Identities, from_state("identities")]
LinkRequestsDep = Annotated[LinkRequests, from_state("link_requests")]
LinkLimitDep = Annotated[ActionLimit, from_state("link_limit")]
RefusalsDep = Annotated[Refusals, from_state("refusals")]


@router.post(
    "/session",
    status_code=201,
    response_model=BrowserSession,
    responses=documented(413, 415, 429),
    openapi_extra=body_of(LogIn, bodies.JSON),
)
async def post_auth_session(
    request: Request,
    sessions: BrowserSessionsDep,
    teams: TeamsDep,
    key_ring: KeyRingDep,
    limit: LogInLimitDep,
    failures: FailedLogInLimitDep,
    refusals: RefusalsDep,
) -> Response:
    """Log in with a key (role read or admin) or the token of a one-time link. The answer sets the cookie."""
    log_in = await bodies.read_model(request, LogIn, MOST_BYTES)
    address = address_of(request)
    opened = await _open(sessions, key_ring, limit, log_in, _browser(request))
    if isinstance(opened, Refused):
        refusals.note(Action.LOG_IN_REFUSED, address, opened)
        await failures.note(address)
        raise UnauthorizedError(LINK_OVER if log_in.token is not None else opened.detail)
    cookie, caller = opened
    response = await _answer(caller, teams, 201)
    _set_cookie(request, response, cookie)
    return response


@router.get("/session", response_model=BrowserSession)
async def get_auth_session(caller: CurrentBrowser, teams: TeamsDep) -> Response:
    """The person logged in at this browser, and their rights."""
    return await _answer(caller, teams, 200)


@router.delete("/session", status_code=204, response_class=Response)
async def delete_auth_session(request: Request, sessions: BrowserSessionsDep) -> Response:
    """Log out, and let the browser clear its caches. Without a session, this does nothing and is not an error."""
    if cookie := request.cookies.get(COOKIE):
        forbid_forgery(request)
        await sessions.close(cookie)
    response = Response(status_code=204, headers=FORGET)
    response.delete_cookie(COOKIE, path=COOKIE_PATH, secure=_is_https(request), httponly=True, samesite="strict")
    return response


@router.get("/methods", response_model=LogInMethods)
async def get_log_in_methods(methods: Annotated[LogInMethods, from_state("log_in_methods")]) -> LogInMethods:
    """Ways to log in here. Needs no key."""
    return methods


# A browser is sent to these two; neither is called by programs.
@router.get("/oidc/log-in", include_in_schema=False)
async def get_oidc_log_in(request: Request, provider: ProviderDep) -> Response:
    """To the provider, which sends the browser back to the next one. Costs nothing that would have to be limited."""
    attempt = Attempt.new()
    try:
        address = await _existing(provider).address(attempt)
    except ProviderUnavailableError:
        return _redirect(f"{REFUSED}unavailable")
    response = _redirect(address)
    response.set_cookie(
        ATTEMPT_COOKIE,
        attempt.to_cookie(),
        max_age=ATTEMPT_SECONDS,
        path=CALLBACK_PATH,
        secure=_is_https(request),
        httponly=True,
        # The browser comes back by a link of another site.
        samesite="lax",
    )
    return response


@router.get("/oidc/callback", include_in_schema=False)
async def get_oidc_callback(
    request: Request,
    provider: ProviderDep,
    identities: IdentitiesDep,
    limit: LogInLimitDep,
    refusals: RefusalsDep,
    failures: FailedLogInLimitDep,
) -> Response:
    """Back from the provider to the log-in page, with a session or with a reason why there is none."""
    try:
        opened = await _back(request, _existing(provider), identities, limit)
    except ProviderUnavailableError:
        return _redirect(f"{REFUSED}unavailable")
    if isinstance(opened, Turned):
        address = address_of(request)
        refusals.note(Action.LOG_IN_REFUSED, address, Refused(Why.NO_IDENTITY))
        await failures.note(address)
        response = _redirect(f"{REFUSED}{opened}")
    else:
        # The log-in page, which knows where its reader wanted to go.
        response = _redirect("/login")
        _set_cookie(request, response, opened[0])
    response.delete_cookie(ATTEMPT_COOKIE, path=CALLBACK_PATH)
    return response


@router.post(
    "/link",
    status_code=202,
    response_class=Response,
    responses=documented(413, 415, 429),
    openapi_extra=body_of(LinkRequest, bodies.JSON),
)
async def post_log_in_link(request: Request, links: LinkRequestsDep, limit: LinkLimitDep) -> Response:
    """Mail yourself a one-time link. The answer is the same whether the address is known or not."""
    wanted = await bodies.read_model(request, LinkRequest, MOST_BYTES)
    address = address_of(request)
    await limit.spend(network_of(address))
    links.ask(wanted.email, address)
    return Response(status_code=202, headers={"Cache-Control": "no-store"})


@router.get("/sessions", response_model=SessionList)
async def list_auth_sessions(
    caller: CurrentReader, sessions: SessionsDep, filters: Annotated[SessionFilters, Query()]
) -> Response:
    """Open browser sessions: your own; for admins, everybody's."""
    if filters.everybody and caller.role is not Role.ADMIN:
        raise ForbiddenError("Only admins see the sessions of others.")
    page = SessionList(data=await sessions.listed(caller, everybody=filters.everybody))
    return _private(page, 200)


@router.delete("/sessions", status_code=204, response_class=Response)
async def delete_auth_sessions(
    caller: CurrentReader, sessions: SessionsDep, filters: Annotated[EndFilters, Query()]
) -> None:
    """End all your sessions, including this one; for admins, all sessions of one person."""
    if filters.person_id is not None and caller.role is not Role.ADMIN:
        raise ForbiddenError("Only admins end the sessions of others.")
    await sessions.end_all(caller, filters.person_id)


@router.delete("/sessions/{browser_session_id}", status_code=204, response_class=Response, responses=documented(404))
async def delete_listed_session(
    caller: CurrentReader, sessions: SessionsDep, browser_session_id: SessionId, _: NoQuery
) -> None:
    """End one of your sessions; for admins, anybody's."""
    await sessions.end(caller, browser_session_id)


async def _open(
    sessions: BrowserSessions, key_ring: KeyRing, limit: ActionLimit, log_in: LogIn, browser: Browser
) -> tuple[str, BrowserCaller] | Refused:
    if log_in.token is not None:
        return await sessions.open_for_token(log_in.token, browser) or Refused(Why.UNKNOWN)
    key = await key_ring.find(log_in.api_key or "")
    if isinstance(key, Refused):
        return key
    if key.role is Role.INGEST:
        raise ForbiddenError("Keys with the role ingest cannot open the dashboard.")
    await limit.spend(key.key_id)
    return await sessions.open_for_key(key.key_id, browser)


async def _back(
    request: Request, provider: Provider, identities: Identities, limit: ActionLimit
) -> tuple[str, BrowserCaller] | Turned:
    attempt = Attempt.from_cookie(request.cookies.get(ATTEMPT_COOKIE, ""))
    query = request.query_params
    if attempt is None or not attempt.fits(query.get("state", "")) or "code" not in query:
        log.warning("log-in at the provider not completed", error=query.get("error", "")[:LONGEST_ERROR])
        return Turned.FAILED
    # Only now: nobody spends it whose browser was not sent out. From here on each asks the provider for something.
    await limit.spend(network_of(address_of(request)))
    try:
        identity = await provider.identify(attempt, query["code"])
    except RefusedTokenError as error:
        log.warning("log-in at the provider refused", why=str(error))
        return Turned.FAILED
    return await identities.open(identity, _browser(request))


def _redirect(address: str) -> Response:
    return RedirectResponse(address, 303, {"Cache-Control": "no-store"})


def _existing(provider: Provider | None) -> Provider:
    if provider is None or not provider.takes_people:
        raise NotFoundError("TUTORQ_OIDC_ISSUER or TUTORQ_OIDC_CLIENT_ID is not set.")
    return provider


def _set_cookie(request: Request, response: Response, cookie: str) -> None:
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=int(LONGEST.total_seconds()),
        path=COOKIE_PATH,
        secure=_is_https(request),
        httponly=True,
        samesite="strict",
    )


def _browser(request: Request) -> Browser:
    user_agent = request.headers.get("user-agent", "")[:LONGEST_USER_AGENT]
    return Browser(address_of(request), "".join(each for each in user_agent if each.isprintable()) or None)


async def _answer(caller: BrowserCaller, teams: Teams, status: int) -> Response:
    body = BrowserSession(
        person_id=caller.person_id,
        name=caller.name,
        role=caller.role,
        tutor_ids=await teams.of(caller),
        expires_at=caller.expires_at,
    )
    return _private(body, status)


def _private(body: BaseModel, status: int) -> Response:
    return Response(body.model_dump_json(), status, {"Cache-Control": "no-store"}, bodies.JSON)


def _is_https(request: Request) -> bool:
    """As the browser sees it. A forged header harms only the one who sends it: the browser keeps the cookie back."""
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))
