"""A language model to test against: a local server that speaks chat completions, well or badly."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

GOOD = {
    "for_student": "The tutor is likely to suit the student. Their ways of working are close.",
    "for_tutor": "You will find a student who works much like you. Agree on the next session before this one ends.",
}


def completion(content: str | None, **message: object) -> bytes:
    """The body of a chat completion."""
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "test",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": content, **message},
                }
            ],
        }
    ).encode()


@dataclass(frozen=True)
class Reply:
    """What the server does with a request."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/json"
    stalls: bool = False
    drips: bool = False


def says(content: str | None, **message: object) -> Reply:
    return Reply(completion(content, **message))


def error(status: int) -> Reply:
    return Reply(json.dumps({"error": {"message": "no", "type": "x", "code": None}}).encode(), status)


@dataclass
class LanguageModel:
    """The running server: what it was asked, and what it is to reply."""

    base_url: str
    reply: Reply | Callable[[], Reply] = field(default_factory=lambda: says(json.dumps(GOOD)))
    requests: list[dict[str, Any]] = field(default_factory=list)
    raw_requests: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)


@contextmanager
def language_model() -> Iterator[LanguageModel]:
    """Serves on a free port until the block ends; whoever stalls then goes on at once."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            model.raw_requests.append(raw)
            model.requests.append(json.loads(raw))
            model.headers.append({name.lower(): value for name, value in self.headers.items()})
            reply = model.reply() if callable(model.reply) else model.reply
            if reply.stalls:
                model.closing.wait()
                return
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if reply.drips:  # no single read takes long
                for at in range(len(reply.body)):
                    if model.closing.wait(0.1):
                        return
                    self.wfile.write(reply.body[at : at + 1])
                    self.wfile.flush()
            self.wfile.write(reply.body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    model = LanguageModel(f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield model
    finally:
        model.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
