"""Traces of requests: the request by its route, the statements below it, and nothing that names somebody."""

import subprocess
import sys

import pytest

from core.settings import PROJECT_ROOT, Settings
from tests.api.conftest import served
from tests.conftest import PUBLISHED, Postgres
from tests.otlp import Receiver, Span, receiver

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SERVER, CLIENT = 2, 3


@pytest.fixture(scope="module")
def received(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Receiver:
    """Of a read, a post, and requests for what is not there, once the API has ended."""
    home = tmp_path_factory.mktemp("traced")
    database = postgres.new_database(home, PUBLISHED)
    database.ensure_databases()
    with receiver() as otlp:
        with served(database, home, otlp_endpoint=otlp.url) as platform, platform.client(platform.key) as client:
            traced = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
            assert client.get("/api/tutors/T-1", headers=traced).status_code == 200
            post = {"session_id": "Hortensia-1", "tutor_id": "T-1", "student_id": "Hortensia", "status": "completed"}
            post["scheduled_time"] = "2026-01-05T10:00:00Z"
            assert client.post("/api/sessions", json=post).status_code == 202
            assert client.get("/api/tutors/Hortensia?x=Secret").status_code in (400, 404)
            assert client.get("/api/Hortensia").status_code == 404
        return otlp


def below(spans: list[Span], parent: Span) -> list[Span]:
    return [span for span in spans if (span.trace_id, span.parent) == (parent.trace_id, parent.span_id)]


def of_name(spans: list[Span], name: str) -> Span:
    [found] = [span for span in spans if span.name == name and span.kind == SERVER][:1]
    return found


def test_a_request_stands_below_its_caller_and_above_its_statements(received: Receiver) -> None:
    spans = received.spans()
    [read] = [span for span in spans if span.parent == CALLER]
    assert (read.trace_id, read.name, read.kind) == (TRACE, "GET /api/tutors/{tutor_id}", SERVER)
    assert read.service == "tutorq-api"
    assert read.attributes["http.response.status_code"] == 200
    assert len(read.attributes["tutorq.request_id"]) == 32
    statements = below(spans, read)
    assert any("marts." in span.attributes["db.statement"] for span in statements)
    assert all(span.kind == CLIENT and read.started_at <= span.started_at <= span.ended_at for span in statements)


def test_a_post_has_the_statements_that_store_and_refresh_it(received: Receiver) -> None:
    spans = received.spans()
    statements = [span.attributes["db.statement"] for span in below(spans, of_name(spans, "POST /api/sessions"))]
    assert any("raw.sessions" in statement for statement in statements)
    assert any("marts.refresh_sessions" in statement for statement in statements)


def test_what_runs_beside_the_requests_begins_no_trace(received: Receiver) -> None:
    assert {span.kind for span in received.spans() if not span.parent} == {SERVER}


def test_nobody_is_named(received: Receiver) -> None:
    told = b"".join(received.bodies)
    assert b"marts." in told
    for name in (b"Hortensia", b"Secret", b"T-1"):
        assert name not in told


def test_a_share_of_nothing_traces_nothing(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("untraced")
    database = postgres.new_database(home)
    database.ensure_databases()
    with receiver() as otlp:
        with served(database, home, otlp_endpoint=otlp.url, traced_share=0) as platform:
            assert platform.client(platform.key).get("/api/health").status_code in (200, 503)
        assert otlp.spans() == []


def test_without_the_setting_nothing_of_it_is_imported() -> None:
    code = (
        "import sys, api.app, orchestration.definitions; api.app.create_app();"
        "print([name for name in sys.modules if name.startswith('opentelemetry.') and '.sdk' in name])"
    )
    output = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("given", "endpoint"),
    [("http://otel:4318/", "http://otel:4318"), ("https://otel/x/v1/traces", "https://otel/x"), ("", None)],
)
def test_the_endpoint_is_the_base_of_the_receiver(given: str, endpoint: str | None) -> None:
    assert Settings(otlp_endpoint=given).otlp_endpoint == endpoint


def test_an_endpoint_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'otel:4318' is not an address such as http://127\.0\.0\.1:4318"):
        Settings(otlp_endpoint="otel:4318")
