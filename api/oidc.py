"""Log-in at an OpenID provider (`TUTORQ_OIDC_*`): the authorization code flow of people, with PKCE, state and nonce,
and the bearer tokens of programs. authlib speaks OAuth, joserfc checks signatures; the provider's metadata and keys are
fetched when they are first needed, and its keys again when a token is signed with one that is not known."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import httpx2
import structlog
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, KeySet

from api.callers import TokenCaller
from api.problems import ApiError
from api.tls import trusted
from core.roles import KEY_ROLES, PERSON_ROLES, Role
from core.settings import Settings

CALLBACK_PATH = "/api/auth/oidc/callback"
SCOPE = "openid email profile"
# Signatures by the provider's own key; none of a secret that both share.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
TIMEOUT_SECONDS = 10
FRESH_SECONDS = 3600
# Made-up tokens must not make a client of the provider that asks without end.
AGAIN_SECONDS = 60
CLOCKS_DIFFER_SECONDS = 60
RANDOM_BYTES = 32
# A claim may hold roles of all applications. Those of programs have names of their own, so that no person's token
# passes for a program's.
PERSON_PREFIX = "tutorq-"
PROGRAM_PREFIX = "tutorq-program-"
# What joserfc raises for tokens and keys that are odd enough.
UNREADABLE = (JoseError, ValueError, TypeError, KeyError)

log = structlog.get_logger("api")
Published = TypeVar("Published")


class ProviderUnavailableError(ApiError):
    status, kind, title = 503, "provider-unavailable", "The OpenID provider does not answer"


class RefusedTokenError(Exception):
    """A token or a log-in that proves nothing; its text is for the log."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the provider says somebody is. `role` is what its role claim gives; None without such a claim."""

    subject: str
    email: str | None
    is_email_verified: bool
    name: str | None
    role: Role | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a browser keeps while it is at the provider, so that what comes back belongs to what went out."""

    state: str
    nonce: str
    verifier: str

    @staticmethod
    def new() -> "Attempt":
        return Attempt(*(secrets.token_urlsafe(RANDOM_BYTES) for _ in range(3)))

    def to_cookie(self) -> str:
        return f"{self.state}.{self.nonce}.{self.verifier}"

    @staticmethod
    def from_cookie(cookie: str) -> "Attempt | None":
        parts = cookie.split(".")
        return Attempt(*parts) if len(parts) == 3 and all(parts) else None

    def fits(self, state: str) -> bool:
        """Whether what comes back with this state went out with this attempt."""
        return secrets.compare_digest(self.state.encode(), state.encode())


class _Kept(Generic[Published]):
    """Something that the provider publishes: fetched by one for all who wait, at most once a minute, whatever comes of
    it. What has been fetched stays while nothing newer can be had.

    Raises (every coroutine):
        ProviderUnavailableError: there is nothing yet, and it cannot be had.
    """

    def __init__(self, fetch: Callable[[], Awaitable[Published]]) -> None:
        self._fetch = fetch
        self._lock = asyncio.Lock()
        self._value: Published | None = None
        self._fetched_at = self._tried_at = float("-inf")

    async def now(self) -> Published:
        """Fetched within the hour, if the provider answers. Nobody waits for it who can have an older one."""
        is_fresh = time.monotonic() - self._fetched_at < FRESH_SECONDS
        if self._value is not None and (is_fresh or self._lock.locked()):
            return self._value
        return await self.other_than(self._value)

    async def other_than(self, known: Published | None) -> Published:
        """A newer one than that which is known; the same if it was fetched just now."""
        async with self._lock:
            if self._value is known and time.monotonic() - self._tried_at >= AGAIN_SECONDS:
                self._tried_at = time.monotonic()
                try:
                    self._value = await self._fetch()
                    self._fetched_at = time.monotonic()
                except ProviderUnavailableError as error:
                    log.warning("nothing new from the OpenID provider", why=error.detail)
            if self._value is None:
                raise ProviderUnavailableError("Try again in a minute, or log in by another way.")
            return self._value


class Provider:
    """The provider of these settings. `is_person` says whether somebody with this name at the provider is known here.

    Raises (every coroutine):
        ProviderUnavailableError: it cannot be reached, or answers something else.
    """

    def __init__(self, settings: Settings, is_person: Callable[[str], Awaitable[bool]]) -> None:
        assert settings.oidc_issuer is not None
        self._issuer = settings.oidc_issuer
        self._client_id = settings.oidc_client_id
        self._secret = settings.oidc_client_secret
        self._role_claim = settings.oidc_role_claim
        self._trusts_emails = settings.oidc_trust_emails
        self._audience = settings.oidc_audience
        self._is_person = is_person
        self._callback = f"{settings.dashboard}{CALLBACK_PATH}"
        self._http = httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, verify=trusted())
        self._metadata = _Kept(self._fetch_metadata)
        self._keys = _Kept(self._fetch_keys)

    @property
    def takes_people(self) -> bool:
        """Whether people log in there."""
        return self._client_id is not None

    @property
    def takes_programs(self) -> bool:
        """Whether bearer tokens of programs are looked at."""
        return self._audience is not None

    async def close(self) -> None:
        await self._http.aclose()

    async def address(self, attempt: Attempt) -> str:
        """Where a browser is sent to log in."""
        metadata = await self._metadata.now()
        async with self._client() as client:
            url, _ = client.create_authorization_url(
                metadata["authorization_endpoint"],
                state=attempt.state,
                nonce=attempt.nonce,
                code_verifier=attempt.verifier,
            )
        return str(url)

    async def identify(self, attempt: Attempt, code: str) -> Identity:
        """Who came back with this code; that the state fits has been looked at.

        Raises:
            RefusedTokenError: the code or its token is not what belongs to the attempt.
        """
        metadata = await self._metadata.now()
        async with self._client(metadata.get("token_endpoint_auth_methods_supported")) as client:
            try:
                token = await client.fetch_token(metadata["token_endpoint"], code=code, code_verifier=attempt.verifier)
            except OAuthError as error:
                raise RefusedTokenError(f"code refused: {error.error}") from error
            except (httpx2.HTTPError, ValueError) as error:
                raise ProviderUnavailableError("Its token endpoint does not answer. Try again.") from error
        claims = await self._claims(str(token.get("id_token", "")), self._client_id, nonce=attempt.nonce)
        return Identity(
            subject=claims["sub"],
            email=_text(claims.get("email")),
            is_email_verified=claims.get("email_verified", self._trusts_emails) in (True, "true"),
            name=_text(claims.get("name")),
            role=self._role(claims, PERSON_PREFIX, PERSON_ROLES),
        )

    async def program(self, token: str) -> TokenCaller:
        """The program with this bearer token.

        Raises:
            RefusedTokenError: the token is not the provider's, not for us, too old, a person's, or names no role of
                programs.
            DatabaseUnavailableError: whether it is a person's cannot be told.
        """
        claims = await self._claims(token, self._audience)
        role = self._role(claims, PROGRAM_PREFIX, KEY_ROLES)
        if role is None:
            raise RefusedTokenError(f"it names no role of {', '.join(PROGRAM_PREFIX + each for each in KEY_ROLES)}")
        if await self._is_person(claims["sub"]):
            raise RefusedTokenError("it is that of a person")
        named = (claims.get(name) for name in ("client_id", "azp", "appid", "sub"))
        return TokenCaller(next(text for each in named if (text := _text(each))), claims["sub"], role)

    def _client(self, methods: list[str] | None = None) -> AsyncOAuth2Client:
        """A client of one log-in: it keeps what belongs to that."""
        basic, post = "client_secret_basic", "client_secret_post"
        method = "none" if self._secret is None else post if methods and basic not in methods else basic
        return AsyncOAuth2Client(
            self._client_id,
            self._secret.get_secret_value() if self._secret else None,
            token_endpoint_auth_method=method,
            scope=SCOPE,
            redirect_uri=self._callback,
            code_challenge_method="S256",
            timeout=TIMEOUT_SECONDS,
        )

    async def _claims(self, token: str, audience: str | None, nonce: str | None = None) -> dict[str, Any]:
        """What a token says, if the provider has signed it for this audience."""
        if audience is None:
            raise RefusedTokenError("tokens of this kind are not taken here")
        required = {"iss": self._issuer, "aud": audience} | ({"nonce": nonce} if nonce else {})
        registry = jwt.JWTClaimsRegistry(
            leeway=CLOCKS_DIFFER_SECONDS,
            exp={"essential": True},
            sub={"essential": True},
            **{name: {"essential": True, "value": value} for name, value in required.items()},  # type: ignore[arg-type]
        )
        try:
            claims = (await self._decode(token)).claims
            registry.validate(claims)
        except UNREADABLE as error:
            raise RefusedTokenError(f"{type(error).__name__}: {error}") from error
        if not _text(claims["sub"]):
            raise RefusedTokenError("its sub is no text")
        return claims

    async def _decode(self, token: str) -> jwt.Token:
        keys = await self._keys.now()
        try:
            return jwt.decode(token, keys, ALGORITHMS)
        except UNREADABLE:
            # Perhaps it is signed with a key that is new.
            newer = await self._keys.other_than(keys)
            if newer is keys:
                raise
            return jwt.decode(token, newer, ALGORITHMS)

    async def _fetch_keys(self) -> KeySet:
        """Those that can be read: an odd one, such as of a curve that is not known here, spoils no other."""
        document = await self._get(str((await self._metadata.now())["jwks_uri"]))
        published = document.get("keys")
        if not isinstance(published, list):
            raise ProviderUnavailableError("Its keys cannot be read.")
        keys = []
        for each in published:
            try:
                keys.append(JWKRegistry.import_key(each))
            except UNREADABLE as error:
                log.warning("a key of the OpenID provider cannot be read", why=f"{type(error).__name__}: {error}")
        return KeySet(keys)

    async def _fetch_metadata(self) -> dict[str, Any]:
        document = await self._get(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        needed = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        if document.get("issuer") != self._issuer or not all(document.get(name) for name in needed):
            raise ProviderUnavailableError("Its metadata are not those of TUTORQ_OIDC_ISSUER.")
        return document

    async def _get(self, url: str) -> dict[str, Any]:
        try:
            answer = await self._http.get(url)
            answer.raise_for_status()
            document = answer.json()
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            raise ProviderUnavailableError(f"{type(error).__name__} at {url}") from error
        if not isinstance(document, dict):
            raise ProviderUnavailableError("It answers something else.")
        return document

    def _role(self, claims: Mapping[str, Any], prefix: str, known: tuple[Role, ...]) -> Role | None:
        """The highest of the roles that the claim names, with this prefix; a dot leads into a claim."""
        if self._role_claim is None:
            return None
        value: Any = claims.get(self._role_claim)
        if value is None:
            value = claims
            for part in self._role_claim.split("."):
                value = value.get(part) if isinstance(value, Mapping) else None
        named = [value] if isinstance(value, str) else value if isinstance(value, list) else []
        return next((role for role in reversed(known) if f"{prefix}{role}" in named), None)


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None
