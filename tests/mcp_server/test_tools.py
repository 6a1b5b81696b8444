"""An assistant's client starts `tutorq mcp` and asks it, of a real API on published marts."""

import asyncio
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from core import keys
from core.roles import Role
from core.settings import PROJECT_ROOT
from tests.api.conftest import Served, served
from tests.conftest import PUBLISHED, Postgres

pytestmark = pytest.mark.slow

Answers = dict[str, dict[str, Any]]
TOOLS = {
    "calibration", "cases", "explain_tutor", "list_tutors", "overview", "patterns", "todays_sessions",
    "upcoming_sessions",
}  # fmt: skip
MASK = re.compile(r"Tutor [0-9a-f]{4,}")


@pytest.fixture(scope="module")
def published(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("mcp")
    with served(postgres.new_database(home, PUBLISHED), home) as published:
        planned = [
            {
                "session_id": f"U-{number}", "tutor_id": f"T-{1 + number}", "student_id": f"S-{number}",
                "scheduled_time": f"2026-02-01T1{number}:00:00Z", "status": "scheduled",
            }
            for number in range(4)
        ]  # fmt: skip
        with published.client(published.key) as client:
            assert client.post("/api/sessions/batch", json=planned).json()["queued"] == len(planned)
        yield published


@pytest.fixture(scope="module")
def read_key(published: Served) -> str:
    return made_key(published, Role.READ)


def made_key(published: Served, role: Role) -> str:
    with published.database.connect() as connection:
        secret = keys.create(connection, f"assistant {role}", role).secret
    assert secret is not None
    return secret


def program(home: Path, api: str, key: str, **more: str) -> StdioServerParameters:
    """What a client's configuration says. Nothing but these variables is set."""
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "cli.app", "mcp"],
        cwd=PROJECT_ROOT,
        env={"TUTORQ_HOME": str(home), "TUTORQ_API_URL": api, "TUTORQ_MCP_KEY": key, **more},
    )


def asked(server: Any, asks: Callable[[Client], Coroutine[Any, Any, Any]]) -> Any:
    async def ask() -> Any:
        async with Client(server) as client:
            return await asks(client)

    return asyncio.run(ask())


async def told(client: Client, tool: str, **arguments: object) -> Any:
    answer = await client.call_tool(tool, arguments)
    assert not answer.is_error, answer.content
    return answer.structured_content


async def refused(client: Client, tool: str, **arguments: object) -> str:
    answer = await client.call_tool(tool, arguments)
    assert answer.is_error
    said = "".join(part.text for part in answer.content if part.type == "text")
    return said.removeprefix(f"Error executing tool {tool}: ")


async def everything(client: Client) -> Answers:
    """An answer of each tool; the explanations of all tutors that the list names."""
    listed = await told(client, "list_tutors", limit=50)
    return {
        "list_tutors": listed,
        "overview": await told(client, "overview"),
        "upcoming_sessions": await told(client, "upcoming_sessions", limit=50),
        "patterns": await told(client, "patterns"),
        "calibration": await told(client, "calibration"),
        "cases": await told(client, "cases"),
        "todays_sessions": await told(client, "todays_sessions"),
        "explain_tutor": {row["tutor"]: await told(client, "explain_tutor", tutor=row["tutor"]) for row in
                          listed["tutors"]},
    }  # fmt: skip


@pytest.fixture(scope="module")
def answers(published: Served, read_key: str, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    home = tmp_path_factory.mktemp("assistant")
    answers: Answers = asked(program(home, published.base_url, read_key), everything)
    return answers


def test_every_tool_only_reads_and_says_what_it_tells(published: Served, read_key: str, tmp_path: Path) -> None:
    tools = asked(program(tmp_path, published.base_url, read_key), lambda client: client.list_tools()).tools
    assert {tool.name for tool in tools} == TOOLS
    for tool in tools:
        assert tool.annotations.read_only_hint, tool.name
        assert len(tool.description) > 100, tool.name


def test_answers_are_those_of_the_api(published: Served, answers: Answers) -> None:
    with published.client(published.key) as client:
        overview = client.get("/api/overview").json()["data"]
        tutors = client.get("/api/tutors?is_active=true&sort_by=attention&limit=50").json()
    assert answers["overview"]["attention"] == overview["attention"]
    assert answers["overview"]["platform"] == overview["platform"]
    assert answers["list_tutors"]["total"] == tutors["meta"]["total"] > 0
    names = ("tutor_id", "risk_probability", "let_down_rate_90d", "concerns")
    figures = [[row[name] for name in names] for row in answers["list_tutors"]["tutors"]]
    assert figures == [[row[name] for name in names] for row in tutors["data"]]
    for row in answers["list_tutors"]["tutors"]:
        explained = answers["explain_tutor"][row["tutor"]]
        assert explained["tutor_id"] == row["tutor_id"]
        assert explained["risk_probability"] == row["risk_probability"]
    assert len(answers["upcoming_sessions"]["sessions"]) == 4


def test_nobody_is_named(published: Served, answers: Answers) -> None:
    with published.database.connect() as connection:
        people = connection.execute(
            """
            select name from raw.tutors union select name from raw.students
            union select email from raw.tutors union select external_id from raw.tutors
            union select external_id from raw.students union select reason from raw.reschedules
            """
        ).fetchall()
    words = {word for (word,) in people if word}
    assert len(words) > 100
    text = json.dumps(answers, ensure_ascii=False)
    assert not [word for word in words if re.search(rf"\b{re.escape(word)}\b", text)]
    assert not re.search(r'"(external_id|student_name|email|student_id|owner|reason_code)":', text)
    assert MASK.search(text)


def test_a_person_has_one_mask(answers: Answers) -> None:
    masks: dict[str, set[str]] = {}
    rows = [*answers["list_tutors"]["tutors"], *answers["upcoming_sessions"]["sessions"], *answers["cases"]["cases"],
            *answers["overview"]["newest_concerns"], *answers["explain_tutor"].values()]  # fmt: skip
    for row in rows:
        masks.setdefault(row["page"], set()).add(row["tutor"])
    assert len(masks) > 10
    assert all(len(names) == 1 for names in masks.values())
    assert len({*map(frozenset, masks.values())}) == len(masks), "and nobody else has it"


def test_names_are_told_where_they_are_allowed(published: Served, read_key: str, tmp_path: Path) -> None:
    server = program(tmp_path, published.base_url, read_key, TUTORQ_MCP_NAMES="true")
    answer: Answers = asked(server, everything)
    with published.client(published.key) as client:
        tutors = client.get("/api/tutors?is_active=true&sort_by=attention&limit=50").json()["data"]
    names = [row["name"] for row in tutors]
    assert [row["tutor"] for row in answer["list_tutors"]["tutors"] if not MASK.match(row["tutor"])] == [
        name for name in names if name
    ]
    students = {row["student"] for row in answer["upcoming_sessions"]["sessions"]}
    assert all(re.fullmatch("Student [0-9a-f]{4,}", student) for student in students)


def test_refusals_say_what_to_do(published: Served, read_key: str, tmp_path: Path) -> None:
    url = published.base_url
    unknown = asked(program(tmp_path, url, read_key), lambda client: refused(client, "explain_tutor", tutor="Tutor 00"))
    assert unknown.startswith("Not found. There is no tutor with this id")
    wrong = asked(program(tmp_path, url, "tq_wrong"), lambda client: refused(client, "overview"))
    assert "tutorq keys create --name assistant --role read" in wrong
    assert "tq_wrong" not in wrong
    ingest = made_key(published, Role.INGEST)
    assert "The key may not read this" in asked(program(tmp_path, url, ingest), lambda c: refused(c, "overview"))
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        down = asked(program(tmp_path, nowhere, read_key), lambda client: refused(client, "overview"))
    assert down == f"tutorq cannot be reached at {nowhere} (ConnectError). Does `tutorq up` run?"


def test_limits_are_told(published: Served, read_key: str, tmp_path: Path) -> None:
    async def three(client: Client) -> str:
        await told(client, "overview")
        await told(client, "patterns")
        return await refused(client, "overview")

    server = program(tmp_path, published.base_url, read_key, TUTORQ_MCP_CALLS_PER_MINUTE="2")
    assert re.fullmatch(r"Rate limit exceeded: 2 calls a minute\. Wait \d+ seconds\.", asked(server, three))


@contextmanager
def busy() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A server that answers as the API does when it is asked too much; and the headers of what it was asked."""
    asked_with = []

    class Busy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked_with.append(dict(self.headers))
            body = json.dumps({"title": "Too many requests", "detail": "It may ask 2 a second.", "status": 429})
            self.send_response(429)
            self.send_header("Retry-After", "7")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Busy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked_with
        server.shutdown()
        thread.join()


def test_a_limit_of_the_api_is_passed_on_and_its_log_can_tell_sessions_apart(tmp_path: Path) -> None:
    async def twice(client: Client) -> str:
        await refused(client, "overview")
        return await refused(client, "patterns")

    with busy() as (url, asked_with):
        said = asked(program(tmp_path, url, "tq_key"), twice)
    assert said == "Too many requests. It may ask 2 a second. Wait 7 seconds."
    assert [headers["X-API-Key"] for headers in asked_with] == ["tq_key", "tq_key"]
    first, second = (headers["X-Request-Id"] for headers in asked_with)
    assert re.fullmatch("mcp-[0-9a-f]{8}-1", first)
    assert second == f"{first[:-1]}2"


@pytest.fixture(scope="module")
def listening(published: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`tutorq mcp --http`, with a key among its settings that must not be used for others."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = program(tmp_path_factory.mktemp("listening"), published.base_url, published.key).env
    command = [sys.executable, "-m", "cli.app", "mcp", "--http", str(port)]
    process = subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment)
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None, "it did not start"
        assert time.monotonic() < deadline, "it did not start in time"
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
    yield f"http://127.0.0.1:{port}/mcp"
    process.terminate()
    process.wait()


def test_over_http_everybody_sends_a_key_of_their_own(listening: str, read_key: str) -> None:
    async def ask(key: str | None) -> Any:
        headers = {"X-API-Key": key} if key else {}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=30) as http,
            Client(streamable_http_client(listening, http_client=http)) as client,
        ):
            return await (told(client, "overview") if key else refused(client, "overview"))

    assert asyncio.run(ask(read_key))["active_tutors"] > 0
    assert asyncio.run(ask(None)).startswith("Send a tutorq key in the header X-API-Key")


@pytest.mark.parametrize("header", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}])
def test_over_http_pages_of_others_are_refused(listening: str, header: dict[str, str]) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    accept = {"Accept": "application/json, text/event-stream"}
    assert httpx2.post(listening, json=call, headers={**accept, **header}).status_code in (403, 421)


def test_without_a_key_it_does_not_start(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cli.app", "mcp"]
    environment = {"TUTORQ_HOME": str(tmp_path)}
    ended = subprocess.run(command, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith("error: TUTORQ_MCP_KEY is not set; create a key with: tutorq keys create")
