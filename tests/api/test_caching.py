"""ETags, 304, and compression."""

from datetime import datetime, timedelta

import httpx2
import pytest

from core import keys
from core.roles import Role
from tests.api.conftest import Served

PATHS = [
    "/api/tutors?limit=2",
    "/api/tutors/T-1",
    "/api/tutors/T-1/history",
    "/api/tutors/T-1/explanation",
    "/api/overview",
]


@pytest.mark.parametrize("path", PATHS)
def test_what_has_not_changed_is_not_sent_again(client: httpx2.Client, path: str) -> None:
    first = client.get(path)
    tag = first.headers["etag"]
    again = client.get(path, headers={"If-None-Match": f'"other", {tag}'})
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == tag
    for response in (first, again):
        assert response.headers["cache-control"] == "private, no-cache"
        assert "X-API-Key" in response.headers["vary"]
    # A proxy may make the tag a strong one.
    assert client.get(path, headers={"If-None-Match": tag.removeprefix("W/")}).status_code == 304


def test_a_new_generation_is_sent(published: Served, client: httpx2.Client) -> None:
    first = client.get("/api/overview")
    with published.database.connect() as connection:
        connection.execute("update marts.publication set generation = generation + 1")
    try:
        again = client.get("/api/overview", headers={"If-None-Match": first.headers["etag"]})
    finally:
        with published.database.connect() as connection:
            connection.execute("update marts.publication set generation = generation - 1")
    assert again.status_code == 200
    assert again.json()["meta"]["generation"] == first.json()["meta"]["generation"] + 1
    assert again.headers["etag"] != first.headers["etag"]


def test_what_was_refreshed_live_is_sent(published: Served, client: httpx2.Client) -> None:
    tag = client.get("/api/overview").headers["etag"]
    move = "update marts.publication set refreshed_at = refreshed_at + %s::interval"
    with published.database.connect(autocommit=True) as connection:
        connection.execute(move, ("1 second",))
        try:
            assert client.get("/api/overview", headers={"If-None-Match": tag}).status_code == 200
        finally:
            connection.execute(move, ("-1 second",))


@pytest.mark.parametrize("tag", ["*", '""', "nonsense", 'W/"7"', '"', "W/"])
def test_other_tags_do_not_match(client: httpx2.Client, tag: str) -> None:
    assert client.get("/api/overview", headers={"If-None-Match": tag}).status_code == 200


def test_tags_belong_to_one_resource(client: httpx2.Client) -> None:
    tags = {client.get(path).headers["etag"] for path in [*PATHS, "/api/tutors?limit=3", "/api/tutors/T-2"]}
    assert len(tags) == len(PATHS) + 2
    tag = client.get("/api/tutors?limit=2").headers["etag"]
    assert client.get("/api/tutors?limit=3", headers={"If-None-Match": tag}).status_code == 200


def test_a_wrong_request_is_no_304(client: httpx2.Client) -> None:
    tag = client.get("/api/overview").headers["etag"]
    assert client.get("/api/overview?x=1", headers={"If-None-Match": tag}).status_code == 400


@pytest.mark.parametrize("path", PATHS)
def test_a_304_is_for_those_who_may_read(published: Served, client: httpx2.Client, path: str) -> None:
    """Also where the address and its tag are known from somebody else."""
    tag = {"If-None-Match": client.get(path).headers["etag"]}
    assert client.get(path, headers=tag).status_code == 304
    with published.database.connect() as connection:
        poster = str(keys.create(connection, f"posts only {path}", Role.INGEST).secret)
    for key, status in ((None, 401), ("tq_unknown_key", 401), (poster, 403), (published.key, 304)):
        with published.client(key) as other:
            response = other.get(path, headers=tag)
        assert response.status_code == status
        assert response.headers["x-request-id"]
        if status != 304:
            assert response.json()["request_id"] == response.headers["x-request-id"]


def test_large_bodies_are_compressed_on_request(client: httpx2.Client) -> None:
    packed = client.get("/api/tutors", headers={"Accept-Encoding": "gzip"})
    plain = client.get("/api/tutors", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in packed.headers["vary"]
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 3
    assert "content-encoding" not in plain.headers
    assert packed.json() == plain.json()
    assert "content-encoding" not in client.get("/api/health", headers={"Accept-Encoding": "gzip"}).headers


def test_umlauts_and_numbers_arrive_as_such(client: httpx2.Client) -> None:
    response = client.get("/api/tutors/T-1")
    assert response.headers["content-type"] == "application/json"
    data = response.json()["data"]
    assert data["name"] == "Björn Tutor 1"
    assert isinstance(data["risk_probability"], float)
    assert datetime.fromisoformat(data["last_session_at"]).utcoffset() == timedelta(0)
