"""Log-in at an OpenID provider, over HTTP: a real one for tests, and one of our own that signs what it should not."""

import base64
import hashlib
import json
import threading
import time
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

from cli.supervisor import free_port
from core import people
from core.database import Database
from core.roles import Role
from core.settings import Settings
from tests.api.conftest import Served, served
from tests.api.test_auth_sessions import PATH, execute
from tests.api.test_problems import problem
from tests.conftest import Postgres

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
    """Make somebody known at the provider."""
    assert httpx2.put(f"{issuer}/users/{subject}", json=claims).status_code in (200, 204)


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
        provide(provider, "role", email="ann@example.org", access={"roles": ["tutorq-coach", "read", "staff"]})
        assert log_in(client, "role") == "/login"
        assert client.get(PATH).json()["role"] == "coach"
        provide(provider, "role", email="ann@example.org", access={"roles": ["ingest"]})
        assert log_in(client, "role") == "/login#refused=no-role"


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
        self.asked: list[dict[str, list[str]]] = []
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
                    "/keys": {"keys": [key.as_dict(private=False) for key in signer.keys]},
                }
                body = json.dumps(documents[self.path]).encode()
                self.send_response(200)
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

    def token(self, key: RSAKey | None = None, **changes: Any) -> str:
        key = key or self.keys[-1]
        claims = {
            "iss": self.issuer, "aud": AUDIENCE, "sub": "7f3", "azp": "billing", "roles": ["tutorq-read"],
            "exp": int(time.time()) + 300, **changes,
        }  # fmt: skip
        return jwt.encode({"alg": "RS256", "kid": key.kid}, {k: v for k, v in claims.items() if v is not None}, key)


@pytest.fixture
def signer() -> Iterator[Signer]:
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
def machines(database: Database, tmp_path: Path, signer: Signer) -> Iterator[Served]:
    changes = {"oidc_audience": AUDIENCE, "oidc_role_claim": "roles"}
    with logging_in_at(signer.issuer, database, tmp_path, **changes) as platform:
        yield platform


def status(platform: Served, token: str, path: str = "/api/reports") -> int:
    with platform.client(None) as client:
        return client.get(path, headers={"Authorization": f"Bearer {token}"}).status_code


def test_a_program_with_a_token_does_what_its_role_may(machines: Served, signer: Signer) -> None:
    assert status(machines, signer.token()) == 200
    assert status(machines, signer.token(), "/api/audit") == 403
    assert status(machines, signer.token(roles="admin"), "/api/audit") == 200
    assert status(machines, signer.token(roles=["ingest"])) == 403
    with machines.client(None) as client:
        bearer = {"Authorization": f"Bearer {signer.token(roles='admin')}"}
        assert client.post("/api/audit/exports", json={"what": "tutors", "rows": 1}, headers=bearer).status_code == 204
        problem(client.get(PATH, headers=bearer), 401)
        problem(client.delete("/api/auth/sessions", headers=bearer), 403)
        problem(client.post("/api/sessions", json={}, headers=bearer), 401)
    actors = execute(machines, "select actor from app.audit_log where action = 'export'")
    assert actors == [("billing (token)",)]


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
            claims = {"aud": "tutorq", "email": "ann@example.org", "nonce": went["nonce"][0], **change}
            signer.id_token = signer.token(**claims)
            back = client.get(CALLBACK, params={"code": "c", "state": went["state"][0]})
            assert back.headers["location"] == end, change
    asked = signer.asked[-1]
    assert (asked["code"], asked["grant_type"]) == (["c"], ["authorization_code"])
    challenge = base64.urlsafe_b64encode(hashlib.sha256(asked["code_verifier"][0].encode()).digest()).decode()
    assert went["code_challenge"] == [challenge.rstrip("=")]
    assert asked["authorization"] == ["Basic " + base64.b64encode(b"tutorq:s3cret").decode()]


WRONG: dict[str, Callable[[Signer], str]] = {
    "of another issuer": lambda signer: signer.token(iss="https://elsewhere.example"),
    "for somebody else": lambda signer: signer.token(aud="https://elsewhere.example"),
    "of a person": lambda signer: signer.token(aud="tutorq"),
    "too old": lambda signer: signer.token(exp=int(time.time()) - 120),
    "without an end": lambda signer: signer.token(exp=None),
    "not valid yet": lambda signer: signer.token(nbf=int(time.time()) + 600),
    "without a role": lambda signer: signer.token(roles=["staff"]),
    "with a role of people": lambda signer: signer.token(roles=["lead"]),
    "signed by somebody else": lambda signer: signer.token(RSAKey.generate_key(2048, {"kid": "first"})),
    "not signed": lambda signer: "eyJhbGciOiJub25lIn0." + signer.token().split(".")[1] + ".",
    "cut": lambda signer: signer.token()[:-5],
    "nonsense": lambda _: "nonsense",
}


@pytest.mark.parametrize("make", WRONG.values(), ids=WRONG.keys())
def test_tokens_that_prove_nothing_are_refused(machines: Served, signer: Signer, make: Callable[[Signer], str]) -> None:
    assert status(machines, make(signer)) == 401


def test_a_new_key_of_the_provider_is_fetched(
    machines: Served, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert status(machines, signer.token()) == 200
    signer.keys = [RSAKey.generate_key(2048, {"kid": "second"})]
    assert status(machines, signer.token()) == 401
    monkeypatch.setattr("api.oidc.KEYS_AGAIN_SECONDS", 0)
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
