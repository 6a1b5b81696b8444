"""One POST to an address that somebody else has named: to the address that was checked, and nowhere else.

httpcore follows no redirects, reads no proxy settings and keeps no cookies. Its network backend is ours, so that the
name is resolved once, every address of it is checked, and the whole exchange has one deadline.
"""

import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpcore2 as httpcore

from core.outside import LOOK_UP_SECONDS, Address, AddressRefusedError, resolve
from reports.providers.base import Verdict

TIMEOUT_SECONDS = 10.0
CONNECT_SECONDS = 5.0
GONE = HTTPStatus.GONE
# What may be wrong with one body, and right with others.
ABOUT_THE_BODY = (400, 413, 415, 422)


class WebhookClient:
    """Posts bodies. Every HTTP status is a verdict; a broken connection is one only if it broke before the request."""

    def __init__(
        self,
        *,
        allow_private: bool = False,
        timeout_seconds: float = TIMEOUT_SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allow_private = allow_private
        self._timeout = timeout_seconds
        self._tls = tls

    def post(self, address: Address, headers: Mapping[str, str], body: bytes) -> Verdict:
        """Try once. What the receiver says besides its status and Retry-After is not read."""
        exchange = _Exchange(self._allow_private, time.monotonic() + self._timeout)
        url = httpcore.URL(
            scheme=address.scheme.encode(),
            host=address.host.encode(),
            port=address.port,
            target=address.target.encode(),
        )
        lines = [("Host", address.authority), ("Content-Length", str(len(body))), *headers.items()]
        tls = self._tls or (ssl.create_default_context() if address.scheme == "https" else None)
        verdict = None
        try:
            with (
                httpcore.ConnectionPool(ssl_context=tls, network_backend=_Backend(exchange), retries=0) as pool,
                pool.stream("POST", url, headers=[*lines, ("Connection", "close")], content=body) as answer,
            ):
                answered = {name.lower().decode(): value.decode("latin-1") for name, value in answer.headers}
                verdict = verdict_of(answer.status, answered)
        except AddressRefusedError as error:
            return Verdict("later", f"the address {error}", concerns_all=True)
        except Exception as error:
            if verdict is not None:
                return verdict  # how the connection ends does not matter
            # Whatever it was: once the request has begun to leave, nobody knows.
            if exchange.has_begun:
                return Verdict("unknown", f"no answer to the request: {_told(error)}", concerns_all=True)
            return Verdict("later", f"cannot connect: {_told(error)}", concerns_all=True)
        return verdict


def verdict_of(status: int, headers: Mapping[str, str]) -> Verdict:
    """2xx is taken. All else is tried again: what is wrong at the receiver's may be mended in a day."""
    if 200 <= status < 300:
        return Verdict("accepted", answer_code=status)
    reason = f"HTTP {status}"
    if 300 <= status < 400:
        reason += ": redirects are not followed; enter the new address"
    if status in (HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT):
        # Something in front of the receiver has waited in vain; the receiver may have it.
        return Verdict("unknown", reason, concerns_all=True, answer_code=status)
    return Verdict(
        "later",
        reason,
        pause_seconds=wished_pause(headers),
        concerns_all=status not in ABOUT_THE_BODY,
        answer_code=status,
    )


def wished_pause(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait as `Retry-After` (seconds or a date) says; names of headers are in lower case."""
    after = headers.get("retry-after", "")
    try:
        return max(0.0, float(after)) if after else None
    except ValueError:
        try:
            return max(0.0, parsedate_to_datetime(after).timestamp() - time.time())
        except ValueError:
            return None


@dataclass(slots=True)
class _Exchange:
    """One request and its answer. `has_begun`: a byte of the request may have left."""

    allow_private: bool
    deadline: float
    has_begun: bool = field(default=False)

    def left(self) -> float:
        """Seconds; at least a moment, for zero would mean no limit or an error of another kind."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("timed out")
        return left


class _Backend(httpcore.NetworkBackend):
    def __init__(self, exchange: _Exchange) -> None:
        self._exchange = exchange
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            seconds = min(LOOK_UP_SECONDS, self._exchange.left())
            addresses = resolve(host, port, allow_private=self._exchange.allow_private, seconds=seconds)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name {host} cannot be resolved") from error
        problem: Exception = httpcore.ConnectError(f"the name {host} has no address")
        for address in addresses:
            try:
                stream = self._sockets.connect_tcp(
                    address, port, min(CONNECT_SECONDS, self._exchange.left()), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                problem = error
            else:
                return _Stream(stream, self._exchange)
        raise problem


class _Stream(httpcore.NetworkStream):
    """A connection within the deadline of its exchange."""

    def __init__(self, stream: httpcore.NetworkStream, exchange: _Exchange) -> None:
        self._stream = stream
        self._exchange = exchange

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        return self._stream.read(max_bytes, self._exchange.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        left = self._exchange.left()
        self._exchange.has_begun = True
        self._stream.write(buffer, left)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, self._exchange.left()), self._exchange)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _told(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
