"""What a client may do to a connection before the API hears of it, and that others are served meanwhile."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from uuid import uuid4

import httpx2
import psutil
import pytest

from api.connections import Limits
from tests.api.conftest import Served, served
from tests.api.test_sessions import session
from tests.conftest import Postgres

pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 60
# The time limits are short, so that the tests are; nobody measures them.
LIMITS = Limits(head_seconds=0.3, write_seconds=0.3, linger_seconds=0.3)
CONNECTIONS = 16
HEAD = b"GET /api/tutors HTTP/1.1\r\nHost: x\r\n"
HALF_A_BODY = (
    b"POST /api/auth/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
)
ASK = b"GET /api/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def guarded(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The API with short limits, on a database without marts."""
    home = tmp_path_factory.mktemp("guarded")
    with served(postgres.new_database(home), home, LIMITS, api_connections=CONNECTIONS) as guarded:
        yield guarded


def connected(guarded: Served) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", httpx2.URL(guarded.base_url).port or 0))
    connection.settimeout(PATIENCE_SECONDS)
    return connection


def everything(connection: socket.socket) -> bytes:
    """What comes until the server ends the connection. Fails if it does not."""
    received = b""
    try:
        while piece := connection.recv(1 << 16):
            received += piece
    except ConnectionResetError:
        pass
    return received


def answer_of(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the one answer that comes until the connection ends."""
    head, _, body = everything(connection).partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return int(first.split()[1]), dict(line.lower().split(": ", 1) for line in lines), body


def is_served(guarded: Served) -> bool:
    """Whether somebody else gets an answer."""
    with guarded.client(None) as client:
        return client.get("/api/tutors").status_code == 401


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(HEAD + b"X-Long: " + b"a" * 65_536 + b"\r\n\r\n", id="a header"),
        pytest.param(b"GET /" + b"a" * 65_536 + b" HTTP/1.1\r\nHost: x\r\n\r\n", id="the address"),
        pytest.param(HEAD + b"".join(b"X-%d: 1\r\n" % at for at in range(200)) + b"\r\n", id="many headers"),
        pytest.param(HEAD + b"X: " + b"a" * 500_000, id="a header without an end"),
        pytest.param(HEAD + b"".join(b"X-%d: 1\r\n" % at for at in range(20_000)) + b"\r\n", id="20,000 headers"),
    ],
)
@pytest.mark.parametrize("piece", [1 << 20, 5_000])
def test_heads_beyond_the_limits_are_refused(guarded: Served, request_: bytes, piece: int) -> None:
    with closing(connected(guarded)) as connection:
        for start in range(0, len(request_), piece):
            connection.sendall(request_[start : start + piece])
        status, headers, body = answer_of(connection)
    assert status == 431
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    assert headers["x-content-type-options"] == "nosniff"
    problem = json.loads(body)
    assert problem["title"] == "The headers are too large"
    assert problem["detail"] == "At most 65,536 bytes and 200 headers are taken."
    assert problem["request_id"] == headers["x-request-id"]
    assert is_served(guarded)


@pytest.mark.parametrize(
    "more", [{"X-Long": "a" * 60_000}, {f"X-{at}": "1" for at in range(190)}], ids=["long", "many"]
)
def test_heads_within_the_limits_are_taken(guarded: Served, more: dict[str, str]) -> None:
    with guarded.client(None) as client:
        for _ in range(2):
            assert client.get("/api/tutors", headers=more).status_code == 401


def test_what_is_not_http_is_a_problem_too(guarded: Served) -> None:
    with closing(connected(guarded)) as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        status, headers, body = answer_of(connection)
    assert status == 400
    assert headers["content-type"] == "application/problem+json"
    assert json.loads(body)["title"] == "The request is not valid HTTP"


def test_headers_behind_a_body_are_limited(guarded: Served) -> None:
    head = f"POST /api/sessions HTTP/1.1\r\nHost: x\r\nX-API-Key: {guarded.key}\r\nContent-Type: application/json\r\n"
    with closing(connected(guarded)) as connection:
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n0\r\n".encode())
        endless(connection, b"X: " + b"a" * 10_000)
    assert is_served(guarded)


def endless(connection: socket.socket, piece: bytes) -> None:
    """Send this again and again until the server ends the connection; fails if it takes 64 MiB."""
    sent = 0
    try:
        while sent < 64 << 20:
            connection.sendall(piece)
            sent += len(piece)
    except (ConnectionResetError, BrokenPipeError):
        return
    pytest.fail("the server went on reading")


def test_an_endless_header_ends(guarded: Served) -> None:
    with closing(connected(guarded)) as connection:
        connection.sendall(HEAD + b"X: ")
        endless(connection, b"a" * 65_536)
    assert is_served(guarded)


def after_an_answer(rest: bytes) -> Callable[[socket.socket], None]:
    def send(connection: socket.socket) -> None:
        connection.sendall(HEAD + b"\r\n")
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 401")
        connection.sendall(rest)

    return send


@pytest.mark.parametrize(
    "send",
    [
        pytest.param(lambda _: None, id="nothing"),
        pytest.param(lambda connection: connection.sendall(b"GET /api/tu"), id="half an address"),
        pytest.param(lambda connection: connection.sendall(HEAD), id="half a head"),
        pytest.param(after_an_answer(HEAD), id="half a second head"),
        pytest.param(after_an_answer(b"\r\n"), id="a line end after an answer"),
        pytest.param(
            after_an_answer(b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"), id="half a body"
        ),
    ],
)
def test_connections_that_ask_for_nothing_end(guarded: Served, send: Callable[[socket.socket], None]) -> None:
    with closing(connected(guarded)) as connection:
        send(connection)
        everything(connection)


def test_a_head_that_dribbles_ends(guarded: Served) -> None:
    with closing(connected(guarded)) as connection:
        connection.sendall(HEAD)
        connection.settimeout(0.05)
        for _ in range(20 * PATIENCE_SECONDS):
            try:
                assert connection.recv(1) == b""
                return
            except TimeoutError:
                connection.sendall(b"X: 1\r\n")
            except ConnectionResetError:
                return
    pytest.fail("the server went on waiting")


@pytest.mark.parametrize(
    "last",
    [
        pytest.param(b"Connection: close\r\n", id="that says close"),
        pytest.param(b"", id="that goes on", marks=pytest.mark.soak),
    ],
)
def test_clients_that_do_not_read_their_answers_are_given_up(guarded: Served, last: bytes) -> None:
    """However much of them is left: a transport keeps a little by itself, and tells nobody."""
    port = httpx2.URL(guarded.base_url).port
    with ExitStack() as stack:
        clients = set()
        for count in range(CONNECTIONS - 2):
            connection = stack.enter_context(closing(socket.socket()))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
            connection.connect(("127.0.0.1", port))
            clients.add(connection.getsockname())
            connection.sendall(ASK * (1 + count) + ASK.replace(b"/api/openapi.json", b"/") * 30 + HEAD + last + b"\r\n")

        def still_open() -> int:
            return sum(
                each.laddr.port == port and each.raddr in clients and each.status == psutil.CONN_ESTABLISHED
                for each in psutil.net_connections("tcp")
                if each.raddr
            )

        deadline = time.monotonic() + PATIENCE_SECONDS
        while left := still_open():
            assert time.monotonic() < deadline, f"the server goes on waiting for {left} clients"
            time.sleep(0.05)


def test_connections_without_a_request_make_room(guarded: Served) -> None:
    with ExitStack() as stack:
        idle = [stack.enter_context(closing(connected(guarded))) for _ in range(3 * CONNECTIONS)]
        for connection in idle:
            connection.sendall(HEAD)
        assert is_served(guarded)


def test_half_bodies_make_room_too(guarded: Served) -> None:
    with ExitStack() as stack:
        for _ in range(3 * CONNECTIONS):
            connection = stack.enter_context(closing(connected(guarded)))
            connection.sendall(HALF_A_BODY)
        assert is_served(guarded)


def test_beyond_the_limit_of_requests_the_server_says_that_it_is_busy(guarded: Served) -> None:
    head = f"POST /api/sessions HTTP/1.1\r\nHost: x\r\nX-API-Key: {guarded.key}\r\nContent-Type: application/json\r\n"
    with guarded.database.connect() as obstacle, ExitStack() as stack:
        obstacle.execute("lock table raw.sessions")
        for _ in range(CONNECTIONS):
            connection = stack.enter_context(closing(connected(guarded)))
            body = json.dumps(session(str(uuid4()))).encode()
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        with guarded.client(None) as client:
            answer = client.get("/api/health")
    assert answer.status_code == 503
    assert answer.json()["title"] == "The server is busy"
    assert answer.headers["Retry-After"] == "1"
