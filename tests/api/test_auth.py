"""Who may read."""

import httpx2
import pytest

from core import keys
from core.roles import Role
from tests.api.conftest import Served

PROTECTED = [
    "/api/tutors",
    "/api/tutors/T-1",
    "/api/tutors/T-1/history",
    "/api/tutors/T-1/explanation",
    "/api/overview",
    "/api/matching/students",
    "/api/matching/tutors",
    "/api/sessions/upcoming",
]


def new_key(published: Served, name: str, role: Role) -> str:
    with published.database.connect() as connection:
        secret = keys.create(connection, name, role).secret
    assert secret is not None
    return secret


@pytest.mark.parametrize("path", PROTECTED)
@pytest.mark.parametrize("key", [None, "", "nonsense", f"tq_00000000_{'A' * 43}"])
def test_no_entry_without_a_known_key(published: Served, path: str, key: str | None) -> None:
    with published.client(key) as client:
        response = client.get(path)
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("ApiKey")
    assert response.json()["type"] == "urn:tutorq:problem:unauthorized"


def test_the_right_prefix_is_not_enough(published: Served) -> None:
    secret = new_key(published, "guessed", Role.READ)
    forged = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    with published.client(forged) as client:
        assert client.get("/api/overview").status_code == 401
    with published.client(secret) as client:
        assert client.get("/api/overview").status_code == 200


def test_a_revoked_key_is_refused(published: Served) -> None:
    secret = new_key(published, "revoked", Role.ADMIN)
    with published.database.connect() as connection:
        keys.revoke(connection, "revoked")
    with published.client(secret) as client:
        assert client.get("/api/tutors").status_code == 401


@pytest.mark.parametrize(("role", "status"), [(Role.READ, 200), (Role.INGEST, 403), (Role.ADMIN, 200)])
@pytest.mark.parametrize("path", PROTECTED)
def test_only_readers_and_admins_read(published: Served, path: str, role: Role, status: int) -> None:
    name = f"{role}-{path}"
    with published.client(new_key(published, name, role)) as client:
        response = client.get(path)
    assert response.status_code == status
    if status == 403:
        assert response.json()["type"] == "urn:tutorq:problem:forbidden"
        assert response.headers["content-type"] == "application/problem+json"


def test_a_tag_does_not_open_the_door(published: Served, client: httpx2.Client) -> None:
    tag = client.get("/api/overview").headers["etag"]
    with published.client(None) as stranger:
        response = stranger.get("/api/overview", headers={"If-None-Match": tag})
    assert response.status_code == 401


def test_a_wrong_request_without_a_key_is_told_nothing(published: Served) -> None:
    with published.client(None) as client:
        assert client.get("/api/tutors?limit=0").status_code == 401


@pytest.mark.parametrize("path", ["/api/health", "/api/docs", "/api/openapi.json"])
def test_some_pages_need_no_key(published: Served, path: str) -> None:
    with published.client(None) as client:
        assert client.get(path).status_code == 200
