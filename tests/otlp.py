"""A receiver of traces to test against: OTLP over HTTP, as a collector speaks it.

`python -m tests.otlp PORT` is one by itself, and prints what came when it is told to stop.
"""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Span:
    """One span, times in nanoseconds; ids are hexadecimal, `parent` is empty for the first of a trace."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent: str
    kind: int
    started_at: int
    ended_at: int
    is_error: bool
    attributes: dict[str, Any]


@dataclass
class Receiver:
    """What has arrived at a running receiver: every body as it was sent."""

    url: str
    bodies: list[bytes] = field(default_factory=list)

    def spans(self) -> list[Span]:
        return [span for body in self.bodies for span in _spans(body)]


def _spans(body: bytes) -> Iterator[Span]:
    for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        service = _attributes(of_resource.resource.attributes)["service.name"]
        for span in (span for scope in of_resource.scope_spans for span in scope.spans):
            yield Span(
                service,
                span.name,
                span.trace_id.hex(),
                span.span_id.hex(),
                span.parent_span_id.hex(),
                span.kind,
                span.start_time_unix_nano,
                span.end_time_unix_nano,
                span.status.code == span.status.STATUS_CODE_ERROR,
                _attributes(span.attributes),
            )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


@contextmanager
def receiver(port: int = 0) -> Iterator[Receiver]:
    received = Receiver("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/traces" and self.headers["Content-Type"] == "application/x-protobuf":
                received.bodies.append(body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    received.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def tree(spans: list[Span]) -> str:
    """Each trace as an indented list, with milliseconds since its begin and of its length."""
    lines: list[str] = []
    spans = sorted(spans, key=lambda span: span.started_at)
    for trace in dict.fromkeys(span.trace_id for span in spans):
        of_trace = [span for span in spans if span.trace_id == trace]
        ids, first = {span.span_id for span in of_trace}, of_trace[0].started_at
        lines.append(f"{of_trace[0].service} {trace}")
        stack = [(span, 1) for span in reversed(of_trace) if span.parent not in ids]
        while stack:
            span, depth = stack.pop()
            begin, length = (span.started_at - first) / 1e6, (span.ended_at - span.started_at) / 1e6
            what = f"{span.name}{' (error)' if span.is_error else ''}"
            lines.append(f"{'  ' * depth}{what}  +{begin:.1f} ms, {length:.1f} ms")
            stack += [(child, depth + 1) for child in reversed(of_trace) if child.parent == span.span_id]
    return "\n".join(lines)


if __name__ == "__main__":
    with receiver(int(sys.argv[1])) as running:
        over = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: over.set())
        over.wait()
        print(tree(running.spans()))
