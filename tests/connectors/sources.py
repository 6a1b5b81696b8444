"""Services of the outside world as local HTTP servers, and connectors that read from them."""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml

from core.settings import Settings


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    address: str


@dataclass
class Answer:
    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Service:
    """Answers by `answer`, unless something else is `due` first; keeps what was asked."""

    answer: Callable[[Request], Answer]
    url: str = ""
    due: list[Answer] = field(default_factory=list)
    asked: list[Request] = field(default_factory=list)
    # Ends this process when so many requests have come.
    kills: int | None = None
    victim: int | None = None


@contextmanager
def serving(answer: Callable[[Request], Answer]) -> Iterator[Service]:
    service = Service(answer)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            request = Request(
                self.command, parts.path, dict(parse_qsl(parts.query)), dict(self.headers.items()),
                f"{service.url}{self.path}",
            )  # fmt: skip
            service.asked.append(request)
            if service.victim is not None and len(service.asked) == service.kills:
                os.kill(service.victim, signal.SIGKILL)
            found = service.due.pop(0) if service.due else service.answer(request)
            body = found.body if isinstance(found.body, bytes) else json.dumps(found.body).encode()
            if found.status == 304:
                body = b""
            self.send_response(found.status)
            for name, value in {"Content-Type": "application/json", **found.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()


def configure(settings: Settings, **connectors: dict[str, Any]) -> Path:
    """Write connectors.yml."""
    path = settings.home / "connectors.yml"
    path.write_text(yaml.safe_dump(connectors))
    return path
