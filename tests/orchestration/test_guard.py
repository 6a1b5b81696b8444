"""Dagster's web server behind the guard, over real HTTP: what other pages can send is refused, the rest works."""

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from core.settings import PROJECT_ROOT
from tests.e2e.processes import free_port, wait_for

pytestmark = pytest.mark.slow

START_SECONDS = 90
JSON = {"Content-Type": "application/json"}
DEFINITIONS = """
import dagster as dg

@dg.asset
def thing() -> None: ...

defs = dg.Definitions(assets=[thing], jobs=[dg.define_asset_job("make_thing")])
"""
VERSION = "{ version }"
LAUNCH = """
mutation {
  launchRun(executionParams: {
    selector: {repositoryLocationName: "defs.py", repositoryName: "__repository__", jobName: "make_thing"}
    mode: "default"
  }) { __typename }
}
"""
SHUT_DOWN = 'mutation { shutdownRepositoryLocation(repositoryLocationName: "defs.py") { __typename } }'
# No permission of Dagster's stands before it.
DRY_RUN = """
mutation {
  scheduleDryRun(
    selectorData: {repositoryLocationName: "defs.py", repositoryName: "__repository__", scheduleName: "none"}
    timestamp: 0
  ) { __typename }
}
"""


class Webserver:
    """One that runs on a port of 127.0.0.1."""

    def __init__(self, port: int, log: Path) -> None:
        self.port = port
        self.log = log

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: str | None = None) -> tuple[int, str]:
        status, _, text = self.answer(method, path, list(headers.items()), body)
        return status, text

    def answer(
        self, method: str, path: str, headers: list[tuple[str, str]], body: str | None = None
    ) -> tuple[int, dict[str, str], str]:
        """Exactly these headers, with the usual Host unless another one is among them."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        names = {name.lower() for name, _ in headers}
        connection.putrequest(method, path, skip_host="host" in names, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body.encode() if body is not None else None)
        response = connection.getresponse()
        given = {name.lower(): value for name, value in response.getheaders()}
        text = response.read().decode(errors="replace")
        connection.close()
        return response.status, given, text

    def query(self, query: str, **headers: str) -> tuple[int, str]:
        return self.ask("POST", "/graphql", {**JSON, **headers}, json.dumps({"query": query}))

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def is_whole(self) -> bool:
        """The code location is there, and nobody has started a run."""
        asked = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } runsOrError { ... on Runs "
        status, text = self.query(f"{asked} {{ count }} }} }}")
        data = json.loads(text)["data"]
        return status == 200 and bool(data["repositoriesOrError"]["nodes"]) and data["runsOrError"]["count"] == 0


@contextmanager
def webserver(folder: Path, *options: str, **settings: str) -> Iterator[Webserver]:
    """The module as `tutorq up` starts it, with an instance and a code location of its own."""
    home = folder / "dagster"
    home.mkdir(exist_ok=True)
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\nnux: {enabled: false}\n")
    (folder / "defs.py").write_text(DEFINITIONS)
    running = Webserver(free_port(), folder / f"webserver{len(options)}.log")
    command = [sys.executable, "-m", "orchestration.webserver", "-p", str(running.port), "-f", str(folder / "defs.py")]
    environment = {
        **os.environ,
        "TUTORQ_HOME": str(folder),
        "DAGSTER_HOME": str(home),
        "TUTORQ_DAGSTER_PORT": str(running.port),
        **settings,
    }
    with running.log.open("wb") as log, subprocess.Popen(
        [*command, *options], cwd=PROJECT_ROOT, env=environment, stdout=log, stderr=log
    ) as process:  # fmt: skip
        try:

            def answers() -> bool:
                assert process.poll() is None, running.log.read_text()
                try:
                    return running.ask("GET", "/server_info", {})[0] == 200
                except OSError:
                    return False

            wait_for(answers, START_SECONDS, running.log.read_text)
            yield running
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture(scope="module")
def dagster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webserver]:
    hosts = "dagster.example.org, 192.0.2.7"
    with webserver(tmp_path_factory.mktemp("guard"), TUTORQ_DAGSTER_HOSTS=hosts) as running:
        yield running
        assert running.is_whole(), "an attack got through"


def test_a_mutation_by_get_is_refused(dagster: Webserver) -> None:
    for mutation in (LAUNCH, SHUT_DOWN):
        for headers in ({}, {"Accept": "image/avif,image/webp,*/*"}, {"Accept": "*/*"}):
            for path in (f"/graphql?query={quote(mutation)}", f"/graphql/?query={quote(mutation)}"):
                status, text = dagster.ask("GET", path, headers)
                assert (status, text) == (405, "Send queries by POST, as application/json.\n")
    assert dagster.is_whole()


def test_a_page_with_a_query_in_its_address_does_not_run_it(dagster: Webserver) -> None:
    """As somebody gets it who follows a link on another page."""
    status, text = dagster.ask("GET", f"/graphql?query={quote(SHUT_DOWN)}", {"Accept": "text/html"})
    assert status == 200
    assert "GraphiQL" in text
    assert dagster.is_whole()


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "text/plain; application/json", "application/x-www-form-urlencoded; application/json",
     "multipart/form-data; boundary=application/json", "application/graphql", "application/json, text/plain", None],
)  # fmt: skip
def test_bodies_that_browsers_send_without_asking_are_refused(dagster: Webserver, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    for path in ("/graphql", f"/graphql?query={quote(LAUNCH)}", "/report_asset_materialization/thing"):
        status, _ = dagster.ask("POST", path, headers, json.dumps({"query": LAUNCH}))
        assert status == 415
    assert dagster.is_whole()


def test_a_content_type_that_comes_twice_is_refused(dagster: Webserver) -> None:
    headers = [("Content-Type", "application/json"), ("Content-Type", "text/plain")]
    assert dagster.answer("POST", "/graphql", headers, json.dumps({"query": LAUNCH}))[0] == 415


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "DELETE", "PATCH", "TRACE"])
def test_other_methods_are_refused(dagster: Webserver, method: str) -> None:
    """So nobody is told by a preflight that another origin may ask."""
    status, headers, _ = dagster.answer(method, "/graphql", [])
    assert status == 405
    assert not [name for name in headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:3000", "127.0.0.1.evil.example", "localhost.evil.example", "localhost@evil.example",
     "evil.example#localhost", "127.1", "0.0.0.0", "2130706433", "", "local host", "dagster.example.org."],
)  # fmt: skip
def test_a_host_that_is_not_ours_is_refused(dagster: Webserver, host: str) -> None:
    """What a page sends whose domain has been pointed to 127.0.0.1 meanwhile."""
    for method, path in (("GET", "/"), ("GET", "/server_info"), ("POST", "/graphql")):
        status, _ = dagster.ask(method, path, {"Host": host, **JSON}, json.dumps({"query": VERSION}))
        assert status in (400, 421)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:80", "127.0.0.1:1234", "[::1]:3000", "dagster.example.org", "192.0.2.7:8080"]
)
def test_a_host_that_is_ours_is_answered(dagster: Webserver, host: str) -> None:
    assert dagster.query(VERSION, Host=host)[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1"},  # another port, such as the dashboard's
        {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    ],
)
def test_a_page_of_another_origin_is_refused(dagster: Webserver, headers: dict[str, str]) -> None:
    assert dagster.query(LAUNCH, **headers) == (403, "This request comes from a page of another origin.\n")
    assert dagster.ask("GET", "/", {**headers, "Accept": "text/html"})[0] == 403


def test_a_link_on_another_page_leads_here_and_a_form_does_not(dagster: Webserver) -> None:
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert dagster.ask("GET", "/runs", {**followed, "Accept": "text/html"})[0] == 200
    assert dagster.query(LAUNCH, **followed)[0] == 403


def test_answers_may_not_be_framed_or_loaded_by_others(dagster: Webserver) -> None:
    _, headers, page = dagster.answer("GET", "/", [("Accept", "text/html")])
    assert "__next" in page
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "frame-ancestors 'self'" in headers["content-security-policy"]


def test_a_websocket_of_another_origin_is_refused(dagster: Webserver) -> None:
    address = f"ws://127.0.0.1:{dagster.port}/graphql"
    for origin, host in (("https://evil.example", None), ("http://127.0.0.1", None), (None, "evil.example")):
        with pytest.raises(InvalidStatus, match="403"):
            connect(
                address if host is None else address.replace("127.0.0.1", "localhost"),
                origin=Origin(origin) if origin else None,
                additional_headers={"Sec-Fetch-Site": "cross-site"} if host else None,
            )


@pytest.mark.parametrize("is_browser", [True, False])
def test_a_websocket_of_ours_works(dagster: Webserver, is_browser: bool) -> None:
    with connect(
        f"ws://127.0.0.1:{dagster.port}/graphql",
        origin=Origin(dagster.origin) if is_browser else None,
        subprotocols=[Subprotocol("graphql-ws")],
    ) as socket:
        socket.send('{"type": "connection_init"}')
        assert json.loads(socket.recv(30)) == {"type": "connection_ack"}


def test_a_header_without_end_is_cut_off(dagster: Webserver) -> None:
    with suppress(ConnectionError):  # it may close before all of it is sent
        assert dagster.ask("GET", "/", {"X-Long": "x" * (1 << 20)})[0] == 400
    assert dagster.query(VERSION)[0] == 200


def test_a_refusal_is_in_the_log_without_what_was_sent(dagster: Webserver) -> None:
    dagster.ask("GET", "/graphql?query=canary", {"Accept": "*/*"})
    log = dagster.log.read_text()
    assert "refused GET '/graphql': Send queries by POST" in log
    assert "canary" not in log


def test_our_own_page_and_programs_start_runs(tmp_path: Path) -> None:
    with webserver(tmp_path) as running:
        ours = {"Origin": running.origin, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
        for headers in (ours, {}):
            status, text = running.query(LAUNCH, **headers)
            assert (status, json.loads(text)["data"]["launchRun"]["__typename"]) == (200, "LaunchRunSuccess")


@pytest.mark.soak
def test_a_read_only_one_shows_everything_and_changes_nothing(tmp_path: Path) -> None:
    with webserver(tmp_path, "--read-only") as running:
        for mutation in (LAUNCH, SHUT_DOWN, DRY_RUN):
            status, text = running.query(mutation)
            assert status == 400
            assert json.loads(text)["errors"][0]["message"] == "This server is read-only."
        status, text = running.ask("POST", "/report_asset_materialization/thing", JSON, "{}")
        assert (status, json.loads(text)["error"]) == (401, "Not authorized to report runless asset events.")
        assert running.is_whole()
        assert running.ask("GET", "/assets", {"Accept": "text/html"})[0] == 200
