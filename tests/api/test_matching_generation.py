"""The run that predicts all pairs: asked for, and followed, over Dagster's GraphQL."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from api.matching import generation
from api.matching.generation import JOB, STATUSES
from core import keys
from core.roles import Role
from tests.api.conftest import Served, served
from tests.api.test_problems import problem

RUN = "0b5e2c8e-7f0d-4a3e-9f43-3f0c6f1f2a11"
START = "/api/matching/generate-all"


@dataclass
class Dagster:
    """A web server that answers as Dagster's does; what it was asked, and what it is to say of the run."""

    url: str
    launches: list[dict[str, Any]] = field(default_factory=list)
    jobs: list[str] = field(default_factory=lambda: ["score", JOB])
    launched: dict[str, Any] = field(default_factory=lambda: {"__typename": "LaunchRunSuccess", "run": {"runId": RUN}})
    run: dict[str, Any] = field(default_factory=dict)
    body: Callable[[], tuple[int, bytes]] | None = None

    def answer(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        if query == generation.FIND_JOB:
            other = {"name": "__repository__", "location": {"name": "other"}, "jobs": [{"name": "else"}]}
            ours = {
                "name": "__repository__",
                "location": {"name": "tutorq"},
                "jobs": [{"name": name} for name in self.jobs],
            }
            return {"repositoriesOrError": {"nodes": [other, ours]}}
        if query == generation.LAUNCH:
            self.launches.append(variables)
            return {"launchRun": self.launched}
        if variables["runId"] != RUN:
            return {"runOrError": {"__typename": "RunNotFoundError"}}
        run = {"runId": RUN, "jobName": JOB, "status": "STARTED", "startTime": 1769860800.5, "endTime": None}
        return {"runOrError": {"__typename": "Run", **run, **self.run}}


@contextmanager
def dagster_server() -> Iterator[Dagster]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if dagster.body is not None:
                status, body = dagster.body()
            else:
                status, body = 200, json.dumps({"data": dagster.answer(asked["query"], asked["variables"])}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    dagster = Dagster(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield dagster
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def server() -> Iterator[Dagster]:
    with dagster_server() as dagster:
        yield dagster


@pytest.fixture(scope="module")
def api(matching: Served, server: Dagster) -> Iterator[Served]:
    """The API beside this Dagster."""
    with served(matching.database, matching.settings.home, dagster_url=server.url) as api:
        yield api


@pytest.fixture
def dagster(server: Dagster) -> Dagster:
    """The Dagster, well and asked nothing yet."""
    fresh = Dagster(server.url)
    for name, value in vars(fresh).items():
        setattr(server, name, value)
    return server


def test_a_run_is_asked_for_and_followed(api: Served, dagster: Dagster) -> None:
    from orchestration.partitions import ALL_BUCKETS

    with api.client(api.key) as client:
        started = client.post(START)
        assert started.status_code == 202
        assert started.json() == {"run_id": RUN, "status_url": f"{START}/{RUN}"}
        [launch] = dagster.launches
        assert launch["selector"] == {
            "repositoryLocationName": "tutorq",
            "repositoryName": "__repository__",
            "jobName": JOB,
        }
        entry = client.get("/api/audit?action=predictions.start").json()["data"][0]
        assert (entry["subject_kind"], entry["subject_id"]) == ("run", RUN)
        tags = {tag["key"]: tag["value"] for tag in launch["tags"]}
        assert tags == ALL_BUCKETS
        for status, told in STATUSES.items():
            dagster.run = {"status": status, "endTime": 1769860860.0}
            assert client.get(started.json()["status_url"]).json() == {
                "run_id": RUN,
                "status": told,
                "started_at": "2026-01-31T12:00:00.500000Z",
                "ended_at": "2026-01-31T12:01:00Z",
            }
        problem(client.get(f"{START}/other"), 404)
        dagster.run = {"jobName": "score"}
        problem(client.get(f"{START}/{RUN}"), 404)


@pytest.mark.parametrize(
    "changes",
    [
        {"body": lambda: (500, b"oops")},
        {"body": lambda: (200, b"<html>")},
        {"body": lambda: (200, b"[]")},
        {"body": lambda: (200, b'{"errors": [{"message": "no such field"}]}')},
        {"body": lambda: (200, b'{"data": null, "errors": []}')},
        {"jobs": ["score"]},
        {"launched": {"__typename": "UnauthorizedError"}},
        {"launched": {"__typename": "PythonError"}},
    ],
)
def test_a_dagster_that_does_not_is_a_503(api: Served, dagster: Dagster, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        setattr(dagster, name, value)
    with api.client(api.key) as client:
        assert problem(client.post(START), 503).type == "urn:tutorq:problem:dagster-unavailable"


def test_no_dagster_at_all_is_a_503(matching: Served) -> None:
    with dagster_server() as gone:
        pass
    with (
        served(matching.database, matching.settings.home, dagster_url=gone.url) as api,
        api.client(api.key) as client,
    ):
        assert problem(client.post(START), 503).type == "urn:tutorq:problem:dagster-unavailable"
        problem(client.get(f"{START}/{RUN}"), 503)


@pytest.mark.parametrize(("role", "starts", "follows"), [(Role.READ, 403, 200), (Role.INGEST, 403, 403)])
def test_admins_start_and_readers_follow(api: Served, dagster: Dagster, role: Role, starts: int, follows: int) -> None:
    with api.database.connect() as connection:
        secret = keys.create(connection, f"generation-{role}", role).secret
    with api.client(secret) as client:
        assert client.post(START).status_code == starts
        assert client.get(f"{START}/{RUN}").status_code == follows
    assert dagster.launches == []


def test_the_queries_are_ones_that_dagster_understands() -> None:
    from dagster_graphql.schema import create_schema
    from graphql import parse, validate

    from orchestration.defs.predictions.automation import predict

    schema = create_schema().graphql_schema
    for query in (generation.FIND_JOB, generation.LAUNCH, generation.STATUS):
        assert validate(schema, parse(query)) == []
    assert predict.name == JOB
    statuses = schema.get_type("RunStatus")
    assert set(statuses.values) == set(STATUSES)  # type: ignore[union-attr]
