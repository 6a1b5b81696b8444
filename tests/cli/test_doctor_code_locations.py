"""What `tutorq doctor` says of code locations, by a web server that answers as Dagster's does."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

from cli.doctor.code_locations import code_locations
from core.settings import Settings


@contextmanager
def dagster(answer: object) -> Iterator[Settings]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/json"
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Settings(dagster_url=f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()


def test_one_that_cannot_be_loaded_is_named_with_the_first_cause() -> None:
    error = {
        "message": "DagsterUserCodeLoadError",
        "causes": [{"message": "SyntaxError: invalid syntax (ours.py, l. 3)\n"}],
    }
    entries = [{"name": "tutorq", "locationOrLoadError": {}}, {"name": "ours", "locationOrLoadError": error}]
    with dagster({"data": {"workspaceOrError": {"locationEntries": entries}}}) as settings:
        found = code_locations(settings)
    assert (found.ok, found.found) == (False, "ours cannot be loaded: SyntaxError: invalid syntax (ours.py, l. 3)")
    with dagster({"data": {"workspaceOrError": {"locationEntries": entries[:1]}}}) as settings:
        found = code_locations(settings)
    assert (found.ok, found.found) == (True, "tutorq")


def test_a_workspace_that_cannot_be_loaded_is_told() -> None:
    with dagster({"data": {"workspaceOrError": {"message": "no such file:\n workspace.yaml"}}}) as settings:
        found = code_locations(settings)
    assert (found.ok, found.found) == (False, "no such file: workspace.yaml")


def test_nobody_to_ask_is_no_fault() -> None:
    for answer in ({"errors": []}, {"data": {"workspaceOrError": None}}, "log in first"):
        with dagster(answer) as settings:
            assert code_locations(settings).ok
    assert "does not answer at http://127.0.0.1:1" in code_locations(Settings(dagster_url="http://127.0.0.1:1")).found
