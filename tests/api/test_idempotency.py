"""Idempotency-Keys of every POST: one deed, however often it is asked for."""

import gzip
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from fastapi.routing import APIRoute

from api.app import create_app
from api.idempotency import HEADER
from api.routing import ApiRoute
from core.roles import Role
from core.settings import Settings
from tests.api.conftest import Served
from tests.api.test_auth_sessions import OURS, logged_in, new_key
from tests.api.test_problems import problem
from tests.api.test_sessions import rows


@pytest.fixture(scope="module")
def client(intake: Served) -> Iterator[httpx2.Client]:
    with intake.client(intake.key) as client:
        yield client


def post(client: httpx2.Client, key: str, body: Any, path: str = "/api/tutors") -> httpx2.Response:
    return client.post(path, json=body, headers={HEADER: key})


def test_the_same_request_again_gets_its_first_answer(intake: Served, client: httpx2.Client) -> None:
    key, tutor = uuid4().hex, {"tutor_id": uuid4().hex, "name": "Ada"}
    first = post(client, key, tutor)
    assert first.status_code == 201
    again = post(client, key, tutor)
    assert (again.status_code, again.content) == (201, first.content)
    assert {name: again.headers[name] for name in ("content-type", "content-length")} == {
        name: first.headers[name] for name in ("content-type", "content-length")
    }
    assert again.headers["X-Request-ID"] != first.headers["X-Request-ID"]
    body = gzip.compress(json.dumps(tutor, separators=(",", ":")).encode())
    packed = client.post(
        "/api/tutors",
        content=body,
        headers={HEADER: key, "Content-Type": "application/json", "Content-Encoding": "gzip"},
    )
    assert packed.content == first.content, "however it is packed"
    problem(post(client, uuid4().hex, tutor), 409)
    audited = "select count(*) from app.audit_log where action = 'tutor.add' and subject_id = %s"
    assert rows(intake.database, audited, first.json()["data"]["tutor_id"]) == [(1,)]


def test_another_request_under_the_key_is_refused(client: httpx2.Client) -> None:
    key, tutor = uuid4().hex, {"tutor_id": uuid4().hex}
    assert post(client, key, tutor).status_code == 201
    for other in (
        post(client, key, {**tutor, "age": 5}),
        post(client, key, [tutor], "/api/tutors/batch"),
        post(client, key, tutor, "/api/students"),
        post(client, key, {"session_id": "x"}, "/api/sessions/x/excuse"),
    ):
        assert problem(other, 422).type == "urn:tutorq:problem:idempotency-mismatch"
    problem(post(client, "two words", tutor), 400)


def test_what_was_refused_is_not_remembered(client: httpx2.Client) -> None:
    key, tutor = uuid4().hex, uuid4().hex
    problem(post(client, key, {"tutor_id": tutor, "age": 500}), 400)
    assert post(client, key, {"tutor_id": tutor, "age": 50}).status_code == 201


def test_requests_that_come_together_do_it_once(client: httpx2.Client) -> None:
    key, tutor = uuid4().hex, {"tutor_id": uuid4().hex}
    with ThreadPoolExecutor(3) as pool:
        answers = [task.result() for task in [pool.submit(post, client, key, tutor) for _ in range(3)]]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1


def test_while_the_first_is_in_progress_the_second_waits_and_is_refused(intake: Served, client: httpx2.Client) -> None:
    key, tutor = uuid4().hex, {"tutor_id": uuid4().hex}
    [(key_id,)] = rows(intake.database, "select key_id from app.api_keys where name like 'local-%%' limit 1")
    with intake.database.connect() as first:
        first.execute(
            "insert into app.idempotency_keys (caller, idempotency_key, request_sha256) values (%s, %s, '')",
            [f"key {key_id}", key],
        )
        refused = problem(post(client, key, tutor), 409)
        assert refused.detail == "A request with this Idempotency-Key is in progress."
        first.rollback()
    # As if the process had died: the claim is gone, and the request may be sent again.
    assert post(client, key, tutor).status_code == 201


def test_keys_are_of_their_caller_and_at_browsers_too(intake: Served, client: httpx2.Client) -> None:
    key, tutor = uuid4().hex, {"tutor_id": uuid4().hex}
    assert post(client, key, tutor).status_code == 201
    with intake.client(new_key(intake, uuid4().hex, Role.INGEST)) as another:
        problem(post(another, key, tutor), 409)
    with logged_in(intake, Role.LEAD, f"Lead {uuid4()}") as browser:
        problem(post(browser, key, tutor), 403)
        browser.headers.update(OURS)
        other = {"tutor_id": uuid4().hex}
        first = post(browser, key, other)
        assert first.status_code == 201
        assert post(browser, key, other).content == first.content
    problem(post(httpx2.Client(base_url=intake.base_url), key, tutor), 401)


def test_every_post_of_a_known_caller_takes_a_key(client: httpx2.Client) -> None:
    described = client.get("/api/openapi.json").json()["paths"]
    posts = {path: methods["post"] for path, methods in described.items() if "post" in methods}
    taking = {
        path for path, post in posts.items() if any(each["name"] == HEADER for each in post.get("parameters", ()))
    }
    assert posts.keys() - taking == {
        "/api/auth/session", "/api/auth/link", "/api/webhooks/sendgrid", "/api/reports/{report_id}/unsubscribe",
        "/api/connectors/{name}/webhook",
    }  # fmt: skip


def test_every_route_is_of_the_class_that_does_this() -> None:
    resources = create_app(Settings()).router.routes
    found = [route for route in resources if isinstance(route, APIRoute) and not isinstance(route, ApiRoute)]
    assert [route.path for route in found if route.include_in_schema] == []
