"""What a connection may do before the API hears of it: uvicorn's HTTP protocol, with limits.

uvicorn with httptools takes headers of any length, and copies what it has with every piece that comes: one header of 64
MiB stops the event loop, and so everybody else, for half a minute. It also waits for the rest of a request for ever.
"""

import asyncio
import secrets
from asyncio import TimerHandle
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import structlog
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from api.drain import Drain
from api.events.hub import Hub
from api.headers import JSON_POLICY, POLICY, SAME_FOR_ALL
from api.problems import ApiError, HeadTooLargeError, MalformedRequestError, OverloadedError, problem_response

log = structlog.get_logger("api")

_HANG_UP = {"Connection": "close"}


@dataclass(frozen=True)
class Limits:
    """Of one connection.

    `head_bytes`, `headers`: of one request, address included. Browsers send 1 to 16 KiB, and proxies let 32 KiB pass.
    `head_seconds`: from the connection, or the first byte of the next request, until its headers are complete.
    `write_seconds`: for which a client may read nothing of an answer that waits for it.
    `linger_seconds`, `linger_bytes`: what a refused client may go on sending, so that it gets to read why.
    """

    head_bytes: int = 64 << 10
    headers: int = 200
    head_seconds: float = 10
    write_seconds: float = 30
    linger_seconds: float = 2
    linger_bytes: int = 1 << 20


class _StopReadingError(Exception):
    """Ends the parser. The fault itself is not raised: its traceback would lead back to the connection that keeps it,
    and such circles wait for the garbage collector."""


class GuardedProtocol(HttpToolsProtocol):
    """One connection. A subclass for each server has its `limits`, and those of its connections that wait."""

    limits = Limits()
    # Connections without a whole request, the one that has waited longest first.
    waiting: "dict[GuardedProtocol, None]"

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # Bytes since the last ones that belonged to a complete head or to a body.
        self._unheard = 0
        self._fault: ApiError | None = None
        self._is_refused = False
        self._head_timer: TimerHandle | None = None
        self._write_timer: TimerHandle | None = None
        self._close_timer: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.waiting[self] = None
        self._start_head_timer()
        most = self.limit_concurrency
        # Before the last place is taken: the work on a request whose connection is ended lasts a moment longer.
        if most is not None and len(self.connections) >= most - max(2, most // 16):
            # Strangers can hold connections that ask for nothing; they must not keep those out who do.
            oldest = next(iter(self.waiting))
            if oldest is not self:
                oldest.hang_up("room for a newer connection")

    def connection_lost(self, exc: Exception | None) -> None:
        self.waiting.pop(self, None)
        self._stop_head_timer()
        self.resume_writing()
        if self._close_timer is not None:
            self._close_timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unheard += len(data)
        if self._is_refused:
            if self._unheard > self.limits.linger_bytes:
                self.transport.abort()
            return
        super().data_received(data)
        if self._is_refused or self.transport.is_closing():
            return
        if self._unheard > self.limits.head_bytes:
            self._refuse(self._too_large())
        elif self._head_timer is None and (self.cycle is None or self.cycle.response_complete):
            # Half a head, the rest of a body that nobody reads, or line ends: all of it has an end.
            self._start_head_timer()

    def on_header(self, name: bytes, value: bytes) -> None:
        # Also those behind a chunked body, which uvicorn puts to the others.
        if len(self.headers) >= self.limits.headers:
            self._fault = self._too_large()
            raise _StopReadingError
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        size = len(self.url)
        for name, value in self.headers:
            size += len(name) + len(value)
        if size > self.limits.head_bytes:
            self._fault = self._too_large()
            raise _StopReadingError
        self._unheard = 0
        self._stop_head_timer()
        super().on_headers_complete()
        drain: Drain | None = self.app_state.get("drain")
        if drain is not None and drain.has_begun:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._unheard = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unheard = 0
        # Not before: half a body costs a stranger as little as half a head.
        self.waiting.pop(self, None)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        is_last = not self.pipeline  # the next one is taken out of it here
        super().on_response_complete()
        if self.transport.is_closing():
            self.waiting[self] = None
            self._close_in_time()
        elif is_last:
            self.waiting[self] = None

    def shutdown(self) -> None:
        """The server ends: it waits for answers, and streams would never be complete."""
        hub: Hub | None = self.app_state.get("events")
        if hub is not None:
            hub.end_streams()
        super().shutdown()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._close_in_time()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_timer = self.loop.call_later(self.limits.write_seconds, self.hang_up, "the answer is not read")

    def resume_writing(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._fault or MalformedRequestError(msg, headers=_HANG_UP))

    def hang_up(self, reason: str) -> None:
        """End the connection, whatever is still to be sent or read."""
        self.waiting.pop(self, None)
        self.connections.discard(self)
        log.debug("connection ended", reason=reason)
        self.transport.abort()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        instead: Any = _crowded if app is service_unavailable else app
        super()._start_asgi_task(cycle, instead)

    def _close_in_time(self) -> None:
        """A transport that is closing waits for the client to read what is left, as long as the client likes."""
        if self._close_timer is None:
            self._close_timer = self.loop.call_later(self.limits.write_seconds, self.hang_up, "the answer is not read")

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(self.limits.head_seconds, self.hang_up, "no complete request in time")

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_large(self) -> HeadTooLargeError:
        most = f"At most {self.limits.head_bytes:,} bytes and {self.limits.headers} headers are taken."
        return HeadTooLargeError(most, headers=_HANG_UP)

    def _refuse(self, error: ApiError) -> None:
        """Answer without a request, and listen no more."""
        self._is_refused = True
        self._unheard = 0
        self.waiting.pop(self, None)
        self._stop_head_timer()
        if self.cycle is not None and not self.cycle.response_complete:
            # The answer would be taken for that to an earlier request.
            self.hang_up(error.title)
            return
        request_id = secrets.token_hex(16)
        log.info("request refused", request_id=request_id, status=error.status, problem=error.kind)
        self.transport.write(_as_sent(error, request_id))
        if self.transport.can_write_eof():
            # Closing right away would reset the connection, and the client would see no answer.
            self.transport.write_eof()
        self._head_timer = self.loop.call_later(self.limits.linger_seconds, self.hang_up, error.title)


def guarded_protocol(limits: Limits | None = None) -> type[GuardedProtocol]:
    """The protocol for one server."""
    members = {"limits": limits or Limits(), "waiting": {}}
    return type("ServerProtocol", (GuardedProtocol,), members)


def _as_sent(error: ApiError, request_id: str) -> bytes:
    answer = problem_response(error, request_id)
    headers = [
        *answer.raw_headers,
        (b"x-request-id", request_id.encode()),
        *SAME_FOR_ALL,
        (POLICY, JSON_POLICY),
    ]
    lines = [f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}".encode()]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join([*lines, b"", bytes(answer.body)])


async def _crowded(scope: Scope, receive: Receive, send: Send) -> None:
    """What is answered in place of the application beyond `limit_concurrency`."""
    error = OverloadedError("Too many clients are connected.", headers={**_HANG_UP, "Retry-After": "1"})
    await problem_response(error, secrets.token_hex(16))(scope, receive, send)
