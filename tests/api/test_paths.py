"""Ids with any characters, in every address that names a tutor, a student or a session."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from ingest.ids import entity_uuid
from tests.api.conftest import Served
from tests.api.test_openapi import paths_of
from tests.api.test_problems import problem
from tests.api.test_sessions import session

IDS = [
    "a/b",
    "a%2Fb",
    "50% sure",
    "Größe / 2",
    "a?b#c&d=e",
    "one/../two",
    "+1;x=2",
    "%",
    "%2525",
    "名前",
    "batch/x",
    "~!*'()",
]
NAMED = re.compile(r"\{(tutor_id|student_id|session_id)\}")


@pytest.fixture(scope="module")
def client(matching: Served) -> Iterator[httpx2.Client]:
    with matching.client(matching.key) as client:
        yield client


@pytest.fixture(scope="module", params=IDS)
def name(request: pytest.FixtureRequest, client: httpx2.Client) -> str:
    """An id of a tutor, a student, and a planned session of theirs that was moved; the tutor has another one, too."""
    name: str = request.param
    assert client.post("/api/tutors", json={"tutor_id": name, "name": name}).status_code == 201
    assert client.post("/api/students", json={"student_id": name, "name": name}).status_code == 201
    people = {"tutor_id": name, "student_id": name}
    moved = {"initiator": "tutor", "requested_at": "2026-01-30T10:00:00Z"}
    planned = {**people, "scheduled_time": "2026-02-03T10:00:00Z", "status": "scheduled"}
    for body in (
        session(name, **planned, reschedule_info=moved),
        session(f"done {name}", **people, scheduled_time="2026-01-29T10:00:00Z"),
    ):
        assert client.post("/api/sessions", json=body).json()["status"] == "queued"
    return name


def of(name: str, path: str) -> str:
    return NAMED.sub(quote(name, safe=""), path).replace("{day}", "2026-01-30")


def test_every_path_is_found(client: httpx2.Client, name: str) -> None:
    """By another method, if need be, that the path has not: whoever answers 404 did not find it."""
    paths = [path for path in paths_of(client) if NAMED.search(path)]
    assert len(paths) >= 15
    for path in paths:
        refused = client.request("PUT", of(name, path))
        assert refused.status_code == 405, path


def test_what_is_asked_for_is_what_is_read(client: httpx2.Client, name: str) -> None:
    def data(path: str) -> dict[str, Any]:
        response = client.get(of(name, path))
        assert response.status_code == 200, (path, response.text)
        found: dict[str, Any] = response.json()["data"]
        return found

    for path in (
        "/api/tutors/{tutor_id}/profile", "/api/students/{student_id}", "/api/sessions/{session_id}",
        "/api/matching/students/{student_id}", "/api/matching/tutors/{tutor_id}", "/api/tutors/{tutor_id}",
    ):  # fmt: skip
        assert data(path)["external_id"] == name, path
    for path in (
        "/api/tutors/{tutor_id}/history", "/api/tutors/{tutor_id}/explanation",
        "/api/matching/students/{student_id}/matches", "/api/matching/predict/{student_id}/{tutor_id}",
        "/api/sessions/{session_id}/stand-ins",
    ):  # fmt: skip
        response = client.get(of(name, path))
        assert response.status_code == 200, (path, response.text)
        again = client.get(of(name, path), headers={"If-None-Match": response.headers["ETag"]})
        assert again.status_code == 304, path


def test_what_is_asked_for_is_what_is_changed(client: httpx2.Client, name: str) -> None:
    for path in ("/api/tutors/{tutor_id}", "/api/students/{student_id}"):
        changed = client.patch(of(name, path), json={"age": 30})
        assert (changed.status_code, changed.json()["data"]["external_id"]) == (200, name), path
    for path in ("/api/matching/tutors/{tutor_id}", "/api/matching/students/{student_id}"):
        changed = client.patch(of(name, path), json={"age": 31})
        assert (changed.status_code, changed.json()["data"]["external_id"]) == (200, name), path
    for path in ("/api/sessions/{session_id}/excuse", "/api/tutors/{tutor_id}/days/{day}/excuse"):
        assert client.post(of(name, path), json={"reason": "ill"}).status_code in (200, 201), path
    assert client.get(of(name, "/api/sessions/{session_id}/excuse")).json()["reason"] == "ill"
    assert client.delete(of(name, "/api/sessions/{session_id}/excuse")).status_code == 204


def test_who_does_not_escape_asks_for_something_else(client: httpx2.Client) -> None:
    problem(client.get("/api/students/a/b"), 404)
    assert problem(client.get("/api/students/c%2Fd"), 404).detail == "There is no student with this id."
    assert problem(client.get("/api/students/c/d"), 404).detail == "There is nothing at this address."


def test_reserved_words_are_reached_by_uuid(client: httpx2.Client) -> None:
    """`GET /api/sessions/upcoming` is a list."""
    assert client.post("/api/sessions", json=session("upcoming")).status_code == 202
    assert "meta" in client.get("/api/sessions/upcoming").json()
    assert client.get(f"/api/sessions/{entity_uuid('upcoming')}").json()["data"]["external_id"] == "upcoming"
