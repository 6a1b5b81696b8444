"""Messages to chats, by Apprise URLs. A URL is a secret: it appears in no text, log or error.

Apprise says of a message only whether it was sent, which is not enough here: of one that was not, it must be known
whether the service may have it all the same. So Apprise's requests are watched while it sends (`_watched`), its
sockets go only where they may (`_guard`), and what takes too long is broken off: a chat that a person has entered must
not hold up those of the others.
"""

import contextlib
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from core.errors import TutorqError
from core.outside import LOOK_UP_SECONDS, AddressRefusedError, check_ip, look_up
from reports.providers.base import Verdict
from reports.providers.webhook import wished_pause

# Of a message, whatever it takes: looking the name up, connecting, and answers to all of its parts.
TIMEOUT_SECONDS = 20.0
# Then connections are broken off that are still used; a read that times out by itself says more.
GRACE_SECONDS = 0.2
# Of an answer. Services say in some hundred bytes what became of a message.
MOST_BYTES = 1 << 20
# Rooms that one URL of a person may lead to.
MOST_TARGETS = 5
# Services that take messages by https and lie outside. A person may enter one of their own of these; nothing that would
# reach into this machine or its network by another protocol.
OF_PERSONS = {
    "slack": "Slack",
    "msteams": "Microsoft Teams",
    "workflows": "Microsoft Teams (Workflows)",
    "gchat": "Google Chat",
    "discord": "Discord",
    "mmosts": "Mattermost",
    "rockets": "Rocket.Chat",
    "matrixs": "Matrix",
    "tgram": "Telegram",
    "ntfys": "ntfy",
    "wxteams": "Webex",
    "zulip": "Zulip",
    "pover": "Pushover",
}


class ChatUrlError(TutorqError):
    """What is wrong with an Apprise URL; the text does not repeat it."""


class _TooLateError(Exception):
    """The time of the message is over. No error of `requests`, so no plug-in goes on to its next part."""


@dataclass(slots=True)
class _Seen:
    """What happened while a message was sent. `taken`: requests that a service took; `connections`: second handles
    of all that were made, since plug-ins wrap and close their own."""

    allow_private: bool
    deadline: float
    taken: int = 0
    status: int | None = None
    wished_seconds: float | None = None
    is_unknown: bool = False
    has_connected: bool = False
    problems: list[str] = field(default_factory=list)
    refused: str | None = None
    connections: list[socket.socket] = field(default_factory=list)
    is_broken_off: bool = False

    def left(self) -> float:
        """Seconds.

        Raises:
            _TooLateError: none.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise _TooLateError
        return left

    def break_off(self) -> None:
        """End all connections: whoever waits for one of them goes on, as if the other side had ended it."""
        self.is_broken_off = True
        for connection in tuple(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


_sending: ContextVar[_Seen | None] = ContextVar("sending", default=None)
_one_at_a_time = threading.Lock()
_guarded = False


class ChatClient:
    """Sends a message to one Apprise URL."""

    def __init__(self, *, allow_private: bool = False, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._allow_private = allow_private
        self._timeout = timeout_seconds

    def send(self, url: str, title: str, text: str) -> Verdict:
        """Try once. What the service does is a verdict."""
        try:
            service = _service(url)
        except ChatUrlError as error:
            return Verdict("refused", str(error))
        seen = _Seen(self._allow_private, time.monotonic() + self._timeout)
        with _watched(seen):
            try:
                is_sent = bool(service.notify(title=title, body=text, body_format="text"))
            except Exception as error:
                is_sent = False
                seen.problems.append(type(error).__name__)
        return _verdict(seen, is_sent=is_sent)


def service_of(url: str) -> str:
    """The scheme of a URL: what may be shown of it."""
    return urlsplit(url).scheme.lower()


def check_own_url(url: str) -> str:
    """The name of the service of a person's own URL.

    Parameters are refused, all of them: `template` reads a file of this machine and sends it, `retry` sends again what
    may have arrived, `verify` switches the check of certificates off.

    Raises:
        ChatUrlError: Apprise does not understand it, or it is not one that persons may use.
    """
    scheme = service_of(url)
    if scheme not in OF_PERSONS:
        raise ChatUrlError(f"must begin with one of {', '.join(f'{each}://' for each in OF_PERSONS)}")
    if "?" in url:
        raise ChatUrlError("must not have parameters: leave out the ? and what follows it")
    if len(_service(url)) > MOST_TARGETS:
        raise ChatUrlError(f"must lead to {MOST_TARGETS} rooms at most")
    return OF_PERSONS[scheme]


def _service(url: str) -> Any:
    # Loads some 150 plug-ins, in a second or two, which only those who chat should wait for.
    from apprise import Apprise, AppriseAsset

    # What goes wrong is told by the verdict; Apprise's own lines may hold parts of URLs.
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    asset = AppriseAsset(app_id="tutorq", app_desc="tutorq", app_url="", async_mode=False, http_redirects=False)
    service = Apprise.instantiate(url, asset=asset)
    if service is None:
        raise ChatUrlError("Apprise does not understand this URL; see https://appriseit.com/services/")
    # A second try could send twice, and the outbox knows when one is safe.
    service.retry = 0
    return service


def _verdict(seen: _Seen, *, is_sent: bool) -> Verdict:
    if is_sent:
        return Verdict("accepted")
    if seen.refused:
        return Verdict("later", f"the address {seen.refused}", concerns_all=True)
    reason = f"HTTP {seen.status}" if seen.status else "; ".join(seen.problems) or "the service was not reached"
    if seen.is_unknown:
        return Verdict("unknown", f"no answer to the request: {reason}")
    if seen.taken:
        return Verdict("unknown", f"one part was taken and another one not: {reason}")
    if seen.status is None:
        if seen.has_connected and not seen.problems:
            return Verdict("unknown", "the service was reached, and Apprise does not say what it answered")
        return Verdict("later", f"cannot connect: {reason}", concerns_all=True)
    if seen.status == HTTPStatus.TOO_MANY_REQUESTS or seen.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        if seen.status in (HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT):
            return Verdict("unknown", reason)
        return Verdict("later", reason, pause_seconds=seen.wished_seconds, concerns_all=True)
    return Verdict("refused", reason)


@contextlib.contextmanager
def _watched(seen: _Seen) -> Iterator[None]:
    """See what Apprise's requests come to, hold all of them to a time, and have none follow a redirect."""
    import requests

    _guard()
    with _one_at_a_time:
        breaker = threading.Timer(seen.deadline - time.monotonic() + GRACE_SECONDS, seen.break_off)
        breaker.daemon = True
        original = requests.Session.send

        def send(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
            if _sending.get() is not seen:
                return original(session, request, **options)
            options |= {"allow_redirects": False, "timeout": seen.left(), "stream": True}
            try:
                answer = original(session, request, **options)
                _read(answer)
                if seen.is_broken_off:
                    raise requests.ReadTimeout
            except Exception as error:
                cause = getattr(error.args[0], "reason", error.args[0]) if error.args else error
                seen.problems.append(type(cause).__name__)
                seen.is_unknown |= not _never_left(error)
                raise
            seen.status = answer.status_code
            if answer.ok and not answer.is_redirect:
                seen.taken += 1
            else:
                seen.wished_seconds = wished_pause({name.lower(): value for name, value in answer.headers.items()})
            return answer

        requests.Session.send = send  # type: ignore[method-assign, assignment]
        token = _sending.set(seen)
        breaker.start()
        try:
            yield
        finally:
            breaker.cancel()
            _sending.reset(token)
            for connection in seen.connections:
                connection.close()
            requests.Session.send = original  # type: ignore[method-assign]


def _read(answer: Any) -> None:
    """Read an answer, or the beginning of an endless one, as `requests` would."""
    parts, size = [], 0
    for part in answer.iter_content(1 << 14):
        parts.append(part)
        size += len(part)
        if size >= MOST_BYTES:
            break
    answer._content, answer._content_consumed = b"".join(parts), True
    answer.close()


def _never_left(error: Exception) -> bool:
    """Whether the connection failed before the request: no such name, nobody there, no encryption, not allowed."""
    import requests
    from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

    if isinstance(error, (AddressRefusedError, requests.exceptions.ConnectTimeout, requests.exceptions.SSLError)):
        return True
    cause = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(cause, (ConnectTimeoutError, NameResolutionError, NewConnectionError))


def _guard() -> None:
    """Have Python ask before every connection of a message, whichever plug-in makes it (names are resolved by then),
    and before every look-up of a name, which has no time limit of its own."""
    global _guarded
    if not _guarded:
        sys.addaudithook(_before)
        _guarded = True


def _before(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in ("socket.connect", "socket.getaddrinfo"):
        return
    seen = _sending.get()
    if seen is None:
        return
    if event == "socket.getaddrinfo":
        host, port = arguments[:2]
        look_up(host, port, min(LOOK_UP_SECONDS, seen.left()))
        return
    if arguments[0].family not in (socket.AF_INET, socket.AF_INET6):
        return
    seen.left()
    try:
        check_ip(arguments[1][0], allow_private=seen.allow_private)
    except AddressRefusedError as error:
        seen.refused = str(error)
        raise
    seen.connections.append(socket.socket(fileno=os.dup(arguments[0].fileno())))
    seen.has_connected = True
