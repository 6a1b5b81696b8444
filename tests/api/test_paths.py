"""Ids with any characters, in every address that names a tutor, a student or a session."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from fastapi.routing import APIRoute
from starlette.routing import Match

from api.app import create_app
from api.routing import ApiRoute
from core.settings import Settings
from ingest.ids import entity_uuid
from tests.api.conftest import Served
from tests.api.test_openapi import paths_of
from tests.api.test_problems import problem
from tests.api.test_sessions import session

IDS = [
    "Ж-1",
    "a b?c",
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


def test_links_to_the_next_page_name_the_same_list(client: httpx2.Client, name: str) -> None:
    for path in ("/api/matching/students/{student_id}/matches", "/api/matching/tutors/{tutor_id}/matches"):
        first = client.get(of(name, path), params={"limit": 1})
        assert first.status_code == 200, first.text
        second = client.get(first.links["next"]["url"])
        assert second.status_code == 200, second.text
        assert second.json()["meta"]["total"] == first.json()["meta"]["total"]


def test_a_tutor_is_found_by_every_form_of_the_id(client: httpx2.Client) -> None:
    """As files and posts take them."""
    assert client.post("/api/tutors", json={"tutor_id": 4711}).status_code == 201
    body = session("of 4711", tutor_id="4711", student_id="S-1", scheduled_time="2026-01-29T10:00:00Z")
    assert client.post("/api/sessions", json=body).json()["status"] == "queued"
    key = entity_uuid("4711")
    for form in ("4711", "4711.0", str(key), str(key).upper(), key.hex, f"{{{key}}}", f"urn:uuid:{key}"):
        for path in ("", "/history", "/explanation", "/profile"):
            response = client.get(f"/api/tutors/{quote(form, safe='')}{path}")
            assert response.status_code == 200, (form, path, response.text)
        cases = client.get("/api/cases", params={"tutor_id": form})
        assert cases.status_code == 200
    opened = client.post("/api/cases", json={"tutor_id": key.hex})
    assert opened.status_code == 201, opened.text
    assert client.get("/api/cases", params={"tutor_id": "4711.0"}).json()["meta"]["total"] == 1
    for form in ("NULL", "1.2E+11"):
        problem(client.get(f"/api/tutors/{quote(form, safe='')}"), 404)


@pytest.mark.parametrize("path", ["/api/cases", "/api/reports", "/api/sessions/upcoming"])
def test_what_is_no_id_is_an_error_of_the_filter(client: httpx2.Client, path: str) -> None:
    for no_id in ("NULL", "nan", "-", "1.23457E+11"):
        told = problem(client.get(path, params={"tutor_id": no_id}), 400)
        assert [error.field for error in told.errors or []] == ["tutor_id"]


def test_what_is_no_id_is_an_error_of_an_assignment(client: httpx2.Client) -> None:
    for body, field in (
        ({"student_ids": ["S-1", "NULL"]}, "student_ids.1"),
        ({"fixed": [{"student_id": "S-1", "tutor_id": "n/a"}]}, "fixed.0.tutor_id"),
    ):
        told = problem(client.post("/api/matching/assignments", json=body), 400)
        assert [error.field for error in told.errors or []] == [field]


def test_who_does_not_escape_asks_for_something_else(client: httpx2.Client) -> None:
    problem(client.get("/api/students/a/b"), 404)
    assert problem(client.get("/api/students/c%2Fd"), 404).detail == "There is no student with this id."
    assert problem(client.get("/api/students/c/d"), 404).detail == "There is nothing at this address."


def test_reserved_words_are_reached_by_uuid(client: httpx2.Client) -> None:
    """`GET /api/sessions/upcoming` is a list."""
    assert client.post("/api/sessions", json=session("upcoming")).status_code == 202
    assert "meta" in client.get("/api/sessions/upcoming").json()
    assert client.get(f"/api/sessions/{entity_uuid('upcoming')}").json()["data"]["external_id"] == "upcoming"


@pytest.mark.parametrize("root_path", ["", "/behind/a/proxy"])
def test_a_route_takes_what_its_pattern_takes(root_path: str) -> None:
    """Though most requests are compared with its beginning alone."""
    routes = [route for route in create_app(Settings()).router.routes if isinstance(route, ApiRoute)]
    paths = [*(re.sub(r"{.*?}", "1", route.path) for route in routes), "/", "/api", "/api/zones", "/api/tutors/"]
    for path in paths:
        scope = {"type": "http", "method": "GET", "path": root_path + path, "root_path": root_path}
        taken = [route for route in routes if route.matches(scope)[0] is not Match.NONE]
        assert taken == [route for route in routes if APIRoute.matches(route, scope)[0] is not Match.NONE], path
    assert len(routes) > 100
