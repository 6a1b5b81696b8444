"""Who is asking, and whether they may: by the header `X-API-Key`, or by the cookie of a browser that is logged in."""

from typing import Annotated

import structlog
from fastapi import Request, Security
from fastapi.security import APIKeyCookie, APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from api.addresses import address_of
from api.browser_sessions import BrowserCaller, BrowserSessions
from api.callers import AnyCaller, TokenCaller
from api.key_ring import Caller, KeyRing, Refused, Why
from api.limits import FailureLimit
from api.oidc import Provider, RefusedTokenError
from api.problems import ForbiddenError, UnauthorizedError
from api.refusals import Refusals
from api.state import record_of
from core.audit import Action
from core.roles import Role

log = structlog.get_logger("api")

COOKIE = "tutorq_session"
# A page of another origin cannot send this header without being asked first, and is then refused (CORS). The
# cookie's SameSite=Strict alone would let through other ports of the same host.
PROOF = ("X-Requested-With", "tutorq")
SAFE_METHODS = ("GET", "HEAD")

_header = APIKeyHeader(
    name="X-API-Key",
    scheme_name="ApiKey",
    description="A key from `tutorq keys create`; the local one is in `$TUTORQ_HOME/api-key`.",
    auto_error=False,
)
_cookie = APIKeyCookie(
    name=COOKIE,
    scheme_name="BrowserSession",
    description=(
        "Set by `POST /api/auth/session`. Requests that change something must carry the header "
        f"`{PROOF[0]}: {PROOF[1]}`."
    ),
    auto_error=False,
)
_bearer = HTTPBearer(
    scheme_name="ProviderToken",
    bearerFormat="JWT",
    description="An OpenID provider's token for a program, if `TUTORQ_OIDC_AUDIENCE` is set.",
    auto_error=False,
)
_CHALLENGE = {"WWW-Authenticate": f'ApiKey header="{_header.model.name}"'}


# The roles that will do where one is asked for.
ENOUGH = {
    Role.READ: (Role.READ, Role.COACH, Role.LEAD, Role.ADMIN),
    Role.COACH: (Role.COACH, Role.LEAD, Role.ADMIN),
    Role.LEAD: (Role.LEAD, Role.ADMIN),
    Role.INGEST: (Role.INGEST, Role.ADMIN),
    Role.ADMIN: (Role.ADMIN,),
}


class RequireKey:
    """Dependency that lets a key with one of these roles, or one above, pass. For programs; browsers see `Require`.

    Raises:
        UnauthorizedError: no key, or one that is unknown or has ended.
        TooManyFailedKeysError: the same, and this address has sent too many of those.
        ForbiddenError: the key has another role.
    """

    def __init__(self, *roles: Role) -> None:
        self._roles = roles

    async def caller(self, request: Request) -> Caller:
        """For an endpoint whose dependencies are not run."""
        return await self(request, request.headers.get(_header.model.name))

    async def __call__(self, request: Request, secret: Annotated[str | None, Security(_header)]) -> Caller:
        if not secret:
            raise UnauthorizedError("Send a key in the header X-API-Key.", headers=_CHALLENGE)
        caller = await _with_key(request, secret)
        _check_role(caller, *self._roles)
        return caller


class Require:
    """Dependency that lets a key, a provider's token or a browser session with one of these roles, or one above, pass.
    They are looked at in this order. Whether a coach may change something of this tutor is another question (`Teams`).

    Raises:
        UnauthorizedError: neither, or one that is unknown or has ended.
        TooManyFailedKeysError: the same, and this address has sent too many of those.
        ForbiddenError: another role; or a change asked for by a browser, without proof that the page is ours.
    """

    def __init__(self, *roles: Role) -> None:
        self._roles = roles
        self._key = RequireKey(*roles)

    async def __call__(
        self,
        request: Request,
        secret: Annotated[str | None, Security(_header)],
        bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
        cookie: Annotated[str | None, Security(_cookie)],
    ) -> AnyCaller:
        provider: Provider | None = request.state.oidc
        # Else it is no business of ours: a proxy in front may send its own.
        if bearer and not secret and provider and provider.takes_programs:
            program = await _with_token(request, provider, bearer.credentials)
            _check_role(program, *self._roles)
            return program
        if secret or not cookie:
            return await self._key(request, secret)
        caller = await _with_cookie(request, cookie)
        _check_role(caller, *self._roles)
        if request.method not in SAFE_METHODS:
            forbid_forgery(request)
        return caller

    async def caller(self, request: Request) -> AnyCaller:
        """For an endpoint whose dependencies are not run."""
        if secret := request.headers.get(_header.model.name):
            return await self._key(request, secret)
        return await self(request, None, await _bearer(request), request.cookies.get(COOKIE))


def forbid_forgery(request: Request) -> None:
    """
    Raises:
        ForbiddenError: the request may come from a page of somebody else.
    """
    name, value = PROOF
    if request.headers.get(name) != value:
        raise ForbiddenError(f"Send the header {name}: {value} with a change under a browser session.")


async def _with_key(request: Request, secret: str) -> Caller:
    key_ring: KeyRing = request.state.key_ring
    caller = await key_ring.find(secret)
    if isinstance(caller, Refused):
        await _note_failure(request, caller)
        raise UnauthorizedError(caller.detail, headers=_CHALLENGE)
    record_of(request.scope).caller = caller.actor
    return caller


async def _with_token(request: Request, provider: Provider, token: str) -> TokenCaller:
    try:
        caller = await provider.program(token)
    except RefusedTokenError as error:
        log.info("token refused", why=str(error))
        refused = Refused(Why.NO_PROGRAM)
        await _note_failure(request, refused)
        raise UnauthorizedError(refused.detail, headers=_CHALLENGE) from error
    record_of(request.scope).caller = caller.actor
    return caller


async def _note_failure(request: Request, refused: Refused) -> None:
    """
    Raises:
        TooManyFailedKeysError: this address has failed too often. A key or cookie that is right never gets here.
    """
    address = address_of(request)
    refusals: Refusals = request.state.refusals
    refusals.note(Action.KEY_REFUSED, address, refused)
    limit: FailureLimit = request.state.failed_key_limit
    await limit.note(address)


async def _with_cookie(request: Request, cookie: str) -> BrowserCaller:
    sessions: BrowserSessions = request.state.browser_sessions
    caller = await sessions.find(cookie)
    if caller is None:
        refused = Refused(Why.NO_SESSION)
        await _note_failure(request, refused)
        raise UnauthorizedError(refused.detail, headers=_CHALLENGE)
    record_of(request.scope).caller = caller.actor
    return caller


async def signed_in(request: Request, cookie: Annotated[str | None, Security(_cookie)]) -> BrowserCaller:
    """Dependency: the browser session that the request came with.

    Raises:
        UnauthorizedError: none, or one that is over.
        TooManyFailedKeysError: one that is over, and this address has sent too many of those.
    """
    if not cookie:
        raise UnauthorizedError("Nobody is logged in at this browser.", headers=_CHALLENGE)
    return await _with_cookie(request, cookie)


def _check_role(caller: AnyCaller, *roles: Role) -> None:
    if not any(caller.role in ENOUGH[each] for each in roles):
        enough = [role for role in Role if any(role in ENOUGH[each] for each in roles)]
        *others, last = enough
        needed = f"{', '.join(others)} or {last}" if others else last
        raise ForbiddenError(
            f"Needs the role {needed}; yours is {caller.role}.", members={"needs_role": [role.value for role in enough]}
        )


# For programs, whose requests are many: the endpoints call it themselves.
INGESTER_KEY = RequireKey(Role.INGEST)
READER_KEY = RequireKey(Role.READ)
