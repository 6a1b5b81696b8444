"""Log-in at an OpenID provider (`TUTORQ_OIDC_*`): the authorization code flow of people, with PKCE, state and nonce,
and the bearer tokens of programs. authlib speaks OAuth, joserfc checks signatures; the provider's metadata and keys are
fetched when they are first needed, and its keys again when a token is signed with one that is not known."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from api.callers import TokenCaller
from api.problems import ApiError
from core.roles import KEY_ROLES, PERSON_ROLES, Role
from core.settings import Settings

CALLBACK_PATH = "/api/auth/oidc/callback"
SCOPE = "openid email profile"
# Signatures by the provider's own key; none of a secret that both share.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
TIMEOUT_SECONDS = 10
METADATA_SECONDS = 3600
# Made-up tokens must not make a client of the provider that asks without end.
KEYS_AGAIN_SECONDS = 60
CLOCKS_DIFFER_SECONDS = 60
RANDOM_BYTES = 32
ROLE_PREFIX = "tutorq-"


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


class Provider:
    """The provider of these settings.

    Raises (every coroutine):
        ProviderUnavailableError: it cannot be reached, or answers something else.
    """

    def __init__(self, settings: Settings) -> None:
        assert settings.oidc_issuer is not None
        self._issuer = settings.oidc_issuer
        self._client_id = settings.oidc_client_id
        self._secret = settings.oidc_client_secret
        self._role_claim = settings.oidc_role_claim
        self._audience = settings.oidc_audience
        self._callback = f"{settings.dashboard}{CALLBACK_PATH}"
        self._http = httpx2.AsyncClient(timeout=TIMEOUT_SECONDS)
        self._metadata: dict[str, Any] = {}
        self._metadata_at = float("-inf")
        self._keys = KeySet([])
        self._keys_at = float("-inf")

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
        metadata = await self._known()
        async with self._client() as client:
            url, _ = client.create_authorization_url(
                metadata["authorization_endpoint"],
                state=attempt.state,
                nonce=attempt.nonce,
                code_verifier=attempt.verifier,
            )
        return str(url)

    async def identify(self, attempt: Attempt, state: str, code: str) -> Identity:
        """Who came back with this code.

        Raises:
            RefusedTokenError: the code or its token is not what belongs to the attempt.
        """
        if not secrets.compare_digest(attempt.state.encode(), state.encode()):
            raise RefusedTokenError("state differs")
        metadata = await self._known()
        async with self._client(metadata.get("token_endpoint_auth_methods_supported")) as client:
            try:
                token = await client.fetch_token(metadata["token_endpoint"], code=code, code_verifier=attempt.verifier)
            except OAuthError as error:
                raise RefusedTokenError(f"code refused: {error.error}") from error
            except (httpx2.HTTPError, ValueError) as error:
                raise ProviderUnavailableError("Its token endpoint does not answer. Try again.") from error
        claims = await self._claims(str(token.get("id_token", "")), self._client_id, nonce=attempt.nonce)
        return Identity(
            subject=str(claims["sub"]),
            email=_text(claims.get("email")),
            # Absent where the organisation itself gives out addresses, as at Entra.
            is_email_verified=claims.get("email_verified", True) in (True, "true"),
            name=_text(claims.get("name")),
            role=self._role(claims, PERSON_ROLES),
        )

    async def program(self, token: str) -> TokenCaller:
        """The program with this bearer token.

        Raises:
            RefusedTokenError: the token is not the provider's, not for us, too old, or names no role of programs.
        """
        claims = await self._claims(token, self._audience)
        role = self._role(claims, KEY_ROLES)
        if role is None:
            raise RefusedTokenError(f"it names no role of {', '.join(KEY_ROLES)}")
        named = (claims.get(name) for name in ("client_id", "azp", "appid", "sub"))
        return TokenCaller(next(text for each in named if (text := _text(each))), role)

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
        except (JoseError, ValueError) as error:
            raise RefusedTokenError(f"{type(error).__name__}: {error}") from error
        return claims

    async def _decode(self, token: str) -> jwt.Token:
        await self._load_keys(METADATA_SECONDS)
        try:
            return jwt.decode(token, self._keys, ALGORITHMS)
        except (JoseError, ValueError):
            # Perhaps it is signed with a key that is new.
            if not await self._load_keys(KEYS_AGAIN_SECONDS):
                raise
            return jwt.decode(token, self._keys, ALGORITHMS)

    async def _load_keys(self, seconds: float) -> bool:
        """Whether the keys were older than that, and are new now."""
        if time.monotonic() - self._keys_at < seconds:
            return False
        document = await self._get(str((await self._known())["jwks_uri"]))
        try:
            self._keys = KeySet.import_key_set(document)  # type: ignore[arg-type]
        except (JoseError, ValueError, KeyError) as error:
            raise ProviderUnavailableError("Its keys cannot be read.") from error
        self._keys_at = time.monotonic()
        return True

    async def _known(self) -> dict[str, Any]:
        """The provider's metadata."""
        if time.monotonic() - self._metadata_at > METADATA_SECONDS:
            document = await self._get(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
            needed = ("authorization_endpoint", "token_endpoint", "jwks_uri")
            if document.get("issuer") != self._issuer or not all(document.get(name) for name in needed):
                raise ProviderUnavailableError("Its metadata are not those of TUTORQ_OIDC_ISSUER.")
            self._metadata, self._metadata_at = document, time.monotonic()
        return self._metadata

    async def _get(self, url: str) -> dict[str, Any]:
        try:
            answer = await self._http.get(url)
            answer.raise_for_status()
            document = answer.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise ProviderUnavailableError("Try again later, or log in by another way.") from error
        if not isinstance(document, dict):
            raise ProviderUnavailableError("It answers something else.")
        return document

    def _role(self, claims: Mapping[str, Any], known: tuple[Role, ...]) -> Role | None:
        """The highest of the roles that the claim names, as `coach` or `tutorq-coach`; a dot leads into a claim."""
        if self._role_claim is None:
            return None
        value: Any = claims.get(self._role_claim)
        if value is None:
            value = claims
            for part in self._role_claim.split("."):
                value = value.get(part) if isinstance(value, Mapping) else None
        named = [value] if isinstance(value, str) else value if isinstance(value, list) else []
        roles = [str(each).removeprefix(ROLE_PREFIX) for each in named]
        return next((role for role in reversed(known) if role in roles), None)


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None
