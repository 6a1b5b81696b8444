"""Receivers of webhooks and chat messages: real HTTP servers that answer well, badly, late or not at all."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SHORT = 0.4


class Handler(BaseHTTPRequestHandler):
    receiver: "Receiver"

    def do_POST(self) -> None:
        self.body = self.rfile.read(int(self.headers["Content-Length"]))
        self.receiver.requests.append((dict(self.headers), self.body))
        self.receiver.answer(self)

    def do_GET(self) -> None:
        self.receiver.gets += 1
        self.reply(200)

    def take(self) -> None:
        self.receiver.taken.append(self.body)

    def reply(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


Answer = Callable[[Handler], None]


@dataclass
class Receiver:
    """`answer` handles a request; `requests` has headers and bodies of all, `taken` the bodies of those it took."""

    port: int
    answer: Answer
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    taken: list[bytes] = field(default_factory=list)
    gets: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?a=b%20c"


def takes(handler: Handler) -> None:
    handler.take()
    handler.reply(200)


def replies(status: int, **headers: str) -> Answer:
    return lambda handler: handler.reply(status, **headers)


def drops(handler: Handler) -> None:
    """Takes it, and breaks the connection off instead of answering."""
    handler.take()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def stalls(handler: Handler) -> None:
    handler.take()
    time.sleep(SHORT * 3)


def drips(handler: Handler) -> None:
    """Sends its answer byte by byte, each soon enough, for longer than anybody should wait."""
    handler.take()
    try:
        for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1000:
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            time.sleep(SHORT / 10)
    except OSError:
        pass  # whoever waited has given up


def floods(handler: Handler) -> None:
    """Takes it, and answers without an end."""
    handler.take()
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"x" * 65_536)
    except OSError:
        pass  # whoever read has had enough


@contextmanager
def receiving() -> Iterator[Receiver]:
    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None: ...

    handler = type("Bound", (Handler,), {})
    server = Quiet(("127.0.0.1", 0), handler)
    handler.receiver = Receiver(server.server_address[1], takes)  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield handler.receiver  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()
