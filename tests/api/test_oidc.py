"""Log-in at an OpenID provider, over HTTP: a real one for tests, and one of our own that signs what it should not."""

import asyncio
import base64
import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import oidc_provider_mock
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from api.callers import TokenCaller
from api.oidc import Provider, ProviderUnavailableError, RefusedTokenError
from cli.supervisor import free_port
from core import logins, people
from core.database import Database
from core.roles import Role
from core.settings import Settings
from tests.api.conftest import Served, served
from tests.api.test_auth_sessions import PATH, execute
from tests.api.test_problems import problem
from tests.conftest import Postgres
from tests.e2e.processes import wait_for

LOG_IN = "/api/auth/oidc/log-in"
CALLBACK = "/api/auth/oidc/callback"
AUDIENCE = "https://tutorq.example.org/api"


@pytest.fixture
def database(postgres: Postgres, tmp_path: Path) -> Database:
    return postgres.new_database(tmp_path)


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The issuer of a provider that lets in whoever says who they are."""
    with oidc_provider_mock.run_server_in_thread() as server:
        yield f"http://localhost:{server.server_port}"


@contextmanager
def logging_in_at(issuer: str, database: Database, home: Path, **changes: object) -> Iterator[Served]:
    changes = {"oidc_issuer": issuer, "oidc_client_id": "tutorq", "oidc_client_secret": "s3cret", **changes}
    with served(database, home, **changes) as platform:
        yield platform


def add(database: Database, email: str, role: Role = Role.COACH) -> None:
    with database.connect() as connection:
        people.add(connection, email, email.partition("@")[0], role)


def provide(issuer: str, subject: str, **claims: object) -> None:
    """Make somebody known at the provider, which has verified their address."""
    assert httpx2.put(f"{issuer}/users/{subject}", json={"email_verified": True, **claims}).status_code in (200, 204)


def to_provider(client: httpx2.Client) -> str:
    answer = client.get(LOG_IN)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def back_from(address: str, subject: str) -> str:
    """Path and query with which the provider sends the browser of this person back."""
    answer = httpx2.post(address, data={"sub": subject})
    assert answer.status_code in (302, 303), answer.text
    parts = urlsplit(answer.headers["location"])
    assert parts.path == CALLBACK
    return f"{parts.path}?{parts.query}"


def log_in(client: httpx2.Client, subject: str) -> str:
    """Where a browser ends after a log-in."""
    answer = client.get(back_from(to_provider(client), subject))
    assert (answer.status_code, answer.headers["cache-control"]) == (303, "no-store")
    return answer.headers["location"]


def changes_of_people(platform: Served) -> list[dict[str, Any]]:
    """What the audit log tells of them, of each that the provider brought about."""
    query = "select details from app.audit_log where action = 'person.change' and actor = 'OpenID provider'"
    return [details for (details,) in execute(platform, f"{query} order by entry_id")]


def test_who_is_known_logs_in_and_stays_the_same_person(database: Database, tmp_path: Path, provider: str) -> None:
    add(database, "ann@example.org")
    provide(provider, "a-1", email="Ann@example.org", name="Ann Lee")
    with logging_in_at(provider, database, tmp_path) as platform:
        with platform.client(None) as client:
            assert client.get("/api/auth/methods").json() == {"mail": False, "oidc": True}
            address = to_provider(client)
            asked = parse_qs(urlsplit(address).query)
            assert {"state", "nonce", "code_challenge"} <= asked.keys()
            assert asked["code_challenge_method"] == ["S256"]
            assert client.get(back_from(address, "a-1")).headers["location"] == "/login"
            who = client.get(PATH).json()
            assert (who["name"], who["role"]) == ("ann", "coach")
            assert [each["opened_by"] for each in client.get("/api/auth/sessions").json()["data"]] == ["oidc"]
        assert changes_of_people(platform) == [{"name": "ann", "oidc_subject": {"from": None, "to": "a-1"}}]
        # The name at the provider counts from now on, and no longer the address.
        provide(provider, "a-1", email="married@example.org")
        provide(provider, "b-2", email="ann@example.org")
        with platform.client(None) as client:
            assert log_in(client, "a-1") == "/login"
            assert client.get(PATH).json()["person_id"] == who["person_id"]
        with platform.client(None) as other:
            assert log_in(other, "b-2") == "/login#refused=unknown"
            problem(other.get(PATH), 401)


def test_who_is_not_let_in_is_told_why(database: Database, tmp_path: Path, provider: str) -> None:
    add(database, "shut@example.org")
    add(database, "unverified@example.org")
    with database.connect() as connection:
        people.change(connection, "shut@example.org", is_active=False)
    provide(provider, "shut", email="shut@example.org")
    provide(provider, "stranger", email="stranger@example.org")
    provide(provider, "unverified", email="unverified@example.org", email_verified=False)
    provide(provider, "strange", email="née@example.org")
    with logging_in_at(provider, database, tmp_path) as platform, platform.client(None) as client:
        for subject, why in (
            ("shut", "shut-out"),
            ("stranger", "unknown"),
            ("unverified", "unknown"),
            ("strange", "unknown"),
        ):
            assert log_in(client, subject) == f"/login#refused={why}"
            problem(client.get(PATH), 401)


def test_strangers_are_let_in_to_look_if_so_set(database: Database, tmp_path: Path, provider: str) -> None:
    provide(provider, "new", email="new@example.org", name="New One")
    with logging_in_at(provider, database, tmp_path, oidc_unknown="read") as platform, platform.client(None) as client:
        assert log_in(client, "new") == "/login"
        assert (client.get(PATH).json()["name"], client.get(PATH).json()["role"]) == ("New One", "read")
        actors = execute(platform, "select actor from app.audit_log where action = 'person.add'")
        assert actors == [("OpenID provider",)]


def test_a_claim_decides_the_role(database: Database, tmp_path: Path, provider: str) -> None:
    add(database, "ann@example.org", Role.ADMIN)
    changes = {"oidc_role_claim": "access.roles"}
    with logging_in_at(provider, database, tmp_path, **changes) as platform, platform.client(None) as client:
        # Names without the prefix are those of other applications.
        roles = ["tutorq-coach", "tutorq-read", "admin", "lead", "tutorq-program-admin"]
        provide(provider, "role", email="ann@example.org", access={"roles": roles})
        assert log_in(client, "role") == "/login"
        assert client.get(PATH).json()["role"] == "coach"
        provide(provider, "role", email="ann@example.org", access={"roles": ["tutorq-ingest", "admin"]})
        assert log_in(client, "role") == "/login#refused=no-role"


def test_who_has_lost_the_role_at_the_provider_keeps_nothing(database: Database, tmp_path: Path, provider: str) -> None:
    add(database, "kim@example.org", Role.READ)
    add(database, "lou@example.org", Role.READ)
    provide(provider, "kim", email="kim@example.org", roles=["tutorq-admin"])
    changes = {"oidc_role_claim": "roles"}
    with (
        logging_in_at(provider, database, tmp_path, **changes) as platform,
        platform.client(None) as one,
        platform.client(None) as other,
    ):
        assert log_in(one, "kim") == "/login"
        assert one.get("/api/audit").status_code == 200
        with database.connect() as connection:
            logins.create_link(connection, platform.settings, people.find(connection, "kim@example.org"))
        provide(provider, "kim", email="kim@example.org", roles=[])
        assert log_in(other, "kim") == "/login#refused=no-role"
        problem(one.get(PATH), 401)
        assert execute(platform, "select role from app.people where oidc_subject = 'kim'") == [("read",)]
        assert execute(platform, "select * from app.login_tokens") == []
        assert changes_of_people(platform)[-1] == {"name": "kim", "role": {"from": "admin", "to": "read"}}
        ended = execute(platform, "select details from app.audit_log where action = 'log_in.end'")
        assert [details["name"] for (details,) in ended] == ["kim"]
        # Nor a way around the provider; who has never been there has no other one.
        for email in ("kim@example.org", "lou@example.org"):
            assert other.post("/api/auth/link", json={"email": email}).status_code == 202
        assert queued_once(platform, "lou@example.org") == ["lou@example.org"]


def test_without_a_claim_links_are_mailed_to_all(database: Database, tmp_path: Path, provider: str) -> None:
    add(database, "pat@example.org")
    provide(provider, "pat", email="pat@example.org")
    with logging_in_at(provider, database, tmp_path) as platform, platform.client(None) as client:
        assert log_in(client, "pat") == "/login"
        assert client.post("/api/auth/link", json={"email": "pat@example.org"}).status_code == 202
        assert queued_once(platform, "pat@example.org") == ["pat@example.org"]


def queued_once(platform: Served, last: str) -> list[str]:
    """To whom links are mailed, once that for the last one is queued: they are dealt with in order."""

    def recipients() -> list[str]:
        return [email for (email,) in execute(platform, "select recipient from app.email_reports order by created_at")]

    wait_for(lambda: last in recipients(), 15, lambda: "it is not queued")
    return recipients()


def test_callbacks_that_nobody_was_sent_out_for_lock_nobody_out(
    database: Database, tmp_path: Path, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.limits.LOG_INS_AT_ONCE", 1)
    monkeypatch.setattr("api.limits.LOG_INS_PER_SECOND", 1e-6)
    add(database, "ann@example.org")
    provide(provider, "ann-2", email="ann@example.org")
    with logging_in_at(provider, database, tmp_path) as platform, platform.client(None) as client:
        for query in ("", "?code=c&state=s"):
            assert client.get(f"{CALLBACK}{query}").headers["location"] == "/login#refused=failed"
            to_provider(client)
            assert client.get(f"{CALLBACK}{query}").headers["location"] == "/login#refused=failed"
        assert log_in(client, "ann-2") == "/login"
        problem(client.get(back_from(to_provider(client), "ann-2")), 429)


def test_what_comes_back_must_be_what_went_out(database: Database, tmp_path: Path, provider: str) -> None:
    add(database, "ann@example.org")
    provide(provider, "ann", email="ann@example.org")
    with (
        logging_in_at(provider, database, tmp_path) as platform,
        platform.client(None) as victim,
        platform.client(None) as attacker,
    ):
        stolen = back_from(to_provider(attacker), "ann")
        # Without an attempt of one's own, and with another one.
        assert victim.get(stolen).headers["location"] == "/login#refused=failed"
        to_provider(victim)
        assert victim.get(stolen).headers["location"] == "/login#refused=failed"
        to_provider(victim)
        assert victim.get(f"{CALLBACK}?error=access_denied").headers["location"] == "/login#refused=failed"
        problem(victim.get(PATH), 401)


def test_without_a_provider_there_is_none(database: Database, tmp_path: Path) -> None:
    with served(database, tmp_path) as platform, platform.client(None) as client:
        problem(client.get(LOG_IN), 404)
        problem(client.get(CALLBACK), 404)
        problem(client.get("/api/reports", headers={"Authorization": "Bearer x.y.z"}), 401)
        # A proxy in front may send one of its own.
        client.headers["Authorization"] = "Bearer x.y.z"
        assert client.get("/api/reports", headers={"X-API-Key": platform.key}).status_code == 200
        assert client.post(PATH, json={"api_key": platform.key}).status_code == 201
        assert client.get("/api/reports").status_code == 200
        assert client.get("/api/auth/methods").json() == {"mail": False, "oidc": False}


def test_a_provider_for_programs_lets_no_people_in(database: Database, tmp_path: Path, provider: str) -> None:
    changes = {"oidc_client_id": None, "oidc_audience": AUDIENCE, "oidc_role_claim": "roles"}
    with logging_in_at(provider, database, tmp_path, **changes) as platform, platform.client(None) as client:
        assert client.get("/api/auth/methods").json() == {"mail": False, "oidc": False}
        problem(client.get(LOG_IN), 404)


def test_a_provider_that_is_down_is_told(database: Database, tmp_path: Path) -> None:
    issuer = f"http://localhost:{free_port()}"
    with logging_in_at(issuer, database, tmp_path) as platform, platform.client(None) as client:
        assert client.get(LOG_IN).headers["location"] == "/login#refused=unavailable"


class Signer:
    """A provider of our own, which signs what a test wants."""

    def __init__(self) -> None:
        self.keys = [RSAKey.generate_key(2048, {"kid": "first"})]
        self.id_token = ""
        self.odd_keys: list[object] = []
        self.asked: list[dict[str, list[str]]] = []
        self.fetched: list[str] = []
        self.is_down = False
        signer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                documents = {
                    "/.well-known/openid-configuration": {
                        "issuer": signer.issuer,
                        "authorization_endpoint": f"{signer.issuer}/authorize",
                        "token_endpoint": f"{signer.issuer}/token",
                        "jwks_uri": f"{signer.issuer}/keys",
                    },
                    "/keys": {"keys": [*signer.odd_keys, *(key.as_dict(private=False) for key in signer.keys)]},
                }
                signer.fetched.append(self.path)
                body = json.dumps(documents[self.path]).encode()
                self.send_response(503 if signer.is_down else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                signer.asked.append(form | {"authorization": [self.headers.get("Authorization", "")]})
                body = json.dumps({"access_token": "x", "token_type": "Bearer", "id_token": signer.id_token}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"

    @property
    def settings(self) -> Settings:
        """Those of an API that takes its tokens."""
        return Settings.model_validate(
            {"oidc_issuer": self.issuer, "oidc_audience": AUDIENCE, "oidc_role_claim": "roles"}
        )

    def token(self, key: RSAKey | None = None, **changes: Any) -> str:
        key = key or self.keys[-1]
        claims = {
            "iss": self.issuer, "aud": AUDIENCE, "sub": "7f3", "azp": "billing", "roles": ["tutorq-program-read"],
            "exp": int(time.time()) + 300, **changes,
        }  # fmt: skip
        return jwt.encode({"alg": "RS256", "kid": key.kid}, {k: v for k, v in claims.items() if v is not None}, key)


@contextmanager
def signing() -> Iterator[Signer]:
    signer = Signer()
    thread = threading.Thread(target=signer.server.serve_forever)
    thread.start()
    try:
        yield signer
    finally:
        signer.server.shutdown()
        thread.join()
        signer.server.server_close()


@pytest.fixture
def signer() -> Iterator[Signer]:
    with signing() as signer:
        yield signer


@pytest.fixture
def machines(database: Database, tmp_path: Path, signer: Signer) -> Iterator[Served]:
    changes = {"oidc_audience": AUDIENCE, "oidc_role_claim": "roles", "trusted_proxies": ["127.0.0.1"]}
    with logging_in_at(signer.issuer, database, tmp_path, **changes) as platform:
        yield platform


def status(platform: Served, token: str, path: str = "/api/reports") -> int:
    with platform.client(None) as client:
        return client.get(path, headers={"Authorization": f"Bearer {token}"}).status_code


def test_a_program_with_a_token_does_what_its_role_may(machines: Served, signer: Signer) -> None:
    assert status(machines, signer.token()) == 200
    assert status(machines, signer.token(), "/api/audit") == 403
    assert status(machines, signer.token(roles="tutorq-program-admin"), "/api/audit") == 200
    assert status(machines, signer.token(roles=["tutorq-program-ingest"])) == 403
    with machines.client(None) as client:
        bearer = {"Authorization": f"Bearer {signer.token(roles='tutorq-program-admin')}"}
        assert client.post("/api/audit/exports", json={"what": "tutors", "rows": 1}, headers=bearer).status_code == 204
        problem(client.get(PATH, headers=bearer), 401)
        problem(client.delete("/api/auth/sessions", headers=bearer), 403)
        problem(client.post("/api/sessions", json={}, headers=bearer), 401)
    actors = execute(machines, "select actor from app.audit_log where action = 'export'")
    assert actors == [("billing (token of 7f3)",)]


def test_an_identity_token_belongs_to_its_attempt(database: Database, tmp_path: Path, signer: Signer) -> None:
    add(database, "ann@example.org")
    with logging_in_at(signer.issuer, database, tmp_path) as platform, platform.client(None) as client:
        for change, end in (
            ({"nonce": "another"}, "/login#refused=failed"),
            ({"nonce": None}, "/login#refused=failed"),
            ({"aud": AUDIENCE}, "/login#refused=failed"),
            ({}, "/login"),
        ):
            went = parse_qs(urlsplit(to_provider(client)).query)
            claims = {
                "aud": "tutorq",
                "email": "ann@example.org",
                "email_verified": True,
                "nonce": went["nonce"][0],
                **change,
            }
            signer.id_token = signer.token(**claims)
            back = client.get(CALLBACK, params={"code": "c", "state": went["state"][0]})
            assert back.headers["location"] == end, change
    asked = signer.asked[-1]
    assert (asked["code"], asked["grant_type"]) == (["c"], ["authorization_code"])
    challenge = base64.urlsafe_b64encode(hashlib.sha256(asked["code_verifier"][0].encode()).digest()).decode()
    assert went["code_challenge"] == [challenge.rstrip("=")]
    assert asked["authorization"] == ["Basic " + base64.b64encode(b"tutorq:s3cret").decode()]


def odd(header: object, signer: Signer) -> str:
    """A token with this header."""
    text = base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")
    return ".".join([text, *signer.token().split(".")[1:]])


@pytest.mark.parametrize(
    ("is_trusted", "claim", "end"),
    [
        (False, {}, "/login#refused=unknown"),
        (False, {"email_verified": True}, "/login"),
        (True, {}, "/login"),
        (True, {"email_verified": False}, "/login#refused=unknown"),
        (True, {"email_verified": "false"}, "/login#refused=unknown"),
    ],
)
def test_an_address_counts_if_it_is_verified(
    database: Database, tmp_path: Path, signer: Signer, is_trusted: bool, claim: dict[str, object], end: str
) -> None:
    add(database, "ann@example.org")
    changes = {"oidc_trust_emails": is_trusted}
    with logging_in_at(signer.issuer, database, tmp_path, **changes) as platform, platform.client(None) as client:
        went = parse_qs(urlsplit(to_provider(client)).query)
        signer.id_token = signer.token(aud="tutorq", email="ann@example.org", nonce=went["nonce"][0], **claim)
        back = client.get(CALLBACK, params={"code": "c", "state": went["state"][0]})
        assert back.headers["location"] == end


def test_a_person_is_no_program_whatever_the_role(machines: Served, signer: Signer) -> None:
    add(machines.database, "ann@example.org")
    execute(machines, "update app.people set oidc_subject = '7f3'")
    assert status(machines, signer.token()) == 401
    assert status(machines, signer.token(sub="7f4")) == 200


WRONG: dict[str, Callable[[Signer], str]] = {
    "of another issuer": lambda signer: signer.token(iss="https://elsewhere.example"),
    "for somebody else": lambda signer: signer.token(aud="https://elsewhere.example"),
    "of a person": lambda signer: signer.token(aud="tutorq"),
    "too old": lambda signer: signer.token(exp=int(time.time()) - 120),
    "without an end": lambda signer: signer.token(exp=None),
    "not valid yet": lambda signer: signer.token(nbf=int(time.time()) + 600),
    "without a role": lambda signer: signer.token(roles=["staff"]),
    "with roles of people": lambda signer: signer.token(roles=["tutorq-read", "tutorq-lead", "tutorq-admin"]),
    "with roles of another application": lambda signer: signer.token(roles=["read", "admin"]),
    "of somebody without a name": lambda signer: signer.token(sub=" "),
    "with an odd header": lambda signer: odd({"alg": "RS256", "crit": 5}, signer),
    "with a header that is no object": lambda signer: odd(["alg"], signer),
    "signed by somebody else": lambda signer: signer.token(RSAKey.generate_key(2048, {"kid": "first"})),
    "not signed": lambda signer: "eyJhbGciOiJub25lIn0." + signer.token().split(".")[1] + ".",
    "cut": lambda signer: signer.token()[:-5],
    "nonsense": lambda _: "nonsense",
}


def test_tokens_that_prove_nothing_are_refused(machines: Served, signer: Signer, subtests: pytest.Subtests) -> None:
    for number, (what, make) in enumerate(WRONG.items()):
        # Each from an address of its own, which has a limit.
        headers = {"Authorization": f"Bearer {make(signer)}", "X-Forwarded-For": f"203.0.113.{number}"}
        with subtests.test(what), machines.client(None) as client:
            assert client.get("/api/reports", headers=headers).status_code == 401


def test_a_new_key_of_the_provider_is_fetched(
    machines: Served, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert status(machines, signer.token()) == 200
    signer.keys = [RSAKey.generate_key(2048, {"kid": "second"})]
    assert status(machines, signer.token()) == 401
    monkeypatch.setattr("api.oidc.AGAIN_SECONDS", 0)
    assert status(machines, signer.token()) == 200


async def nobody(_: str) -> bool:
    return False


async def outcomes(provider: Provider, *tokens: str) -> Counter[type]:
    """What becomes of these tokens, sent at once."""
    return Counter(type(each) for each in await asyncio.gather(*map(provider.program, tokens), return_exceptions=True))


def test_made_up_tokens_at_once_have_the_keys_fetched_once(signer: Signer) -> None:
    made_up = [signer.token(RSAKey.generate_key(2048, {"kid": "made-up"}))] * 50

    async def send() -> None:
        provider = Provider(signer.settings, nobody)
        assert await outcomes(provider, *made_up) == {RefusedTokenError: 50}
        assert await outcomes(provider, *made_up, signer.token()) == {RefusedTokenError: 50, TokenCaller: 1}
        await provider.close()

    asyncio.run(send())
    assert sorted(signer.fetched) == ["/.well-known/openid-configuration", "/keys"]


def test_a_provider_that_is_down_is_asked_once(signer: Signer) -> None:
    signer.is_down = True

    async def send() -> None:
        provider = Provider(signer.settings, nobody)
        for _ in range(2):
            assert await outcomes(provider, *[signer.token()] * 50) == {ProviderUnavailableError: 50}
        await provider.close()

    asyncio.run(send())
    assert signer.fetched == ["/.well-known/openid-configuration"]


def test_keys_stay_while_the_provider_is_down(signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    new = RSAKey.generate_key(2048, {"kid": "new"})

    async def send() -> None:
        provider = Provider(signer.settings, nobody)
        assert await outcomes(provider, signer.token()) == {TokenCaller: 1}
        signer.is_down = True
        # As if both were an hour old.
        monkeypatch.setattr("api.oidc.FRESH_SECONDS", 0)
        monkeypatch.setattr("api.oidc.AGAIN_SECONDS", 0)
        assert await outcomes(provider, signer.token(), signer.token(new)) == {TokenCaller: 1, RefusedTokenError: 1}
        assert len(signer.fetched) > 2
        signer.is_down = False
        signer.keys.append(new)
        assert await outcomes(provider, signer.token(new)) == {TokenCaller: 1}
        await provider.close()

    asyncio.run(send())


def test_a_key_that_cannot_be_read_spoils_no_other(machines: Served, signer: Signer) -> None:
    signer.odd_keys = [{"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA"}, {"kty": ["RSA"]}, {"kty": "LMS"}, 5]
    assert status(machines, signer.token()) == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"oidc_issuer": "http://elsewhere.example", "oidc_client_id": "x"},
        {"oidc_issuer": "https://elsewhere.example"},
        {"oidc_issuer": "https://e.example", "oidc_audience": "a"},
        {"oidc_issuer": "https://e.example", "oidc_client_id": "a", "oidc_audience": "a", "oidc_role_claim": "roles"},
    ],
)
def test_settings_that_do_not_go_together(changes: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"OIDC_|https address"):
        Settings.model_validate(changes)


def test_an_account_that_was_made_anew_is_found_again(database: Database, tmp_path: Path, provider: str) -> None:
    add(database, "re@example.org")
    provide(provider, "old", email="re@example.org")
    provide(provider, "new-one", email="re@example.org")
    with logging_in_at(provider, database, tmp_path) as platform, platform.client(None) as client:
        assert log_in(client, "old") == "/login"
        assert log_in(client, "new-one") == "/login#refused=unknown"
        with database.connect() as connection:
            people.change(connection, "re@example.org", new_email="re@example.org")
        assert log_in(client, "new-one") == "/login"
