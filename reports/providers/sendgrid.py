"""Mail through SendGrid's HTTP API."""

import errno
import json
import socket
import ssl
import time
from email.message import Message
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPException
from typing import Any
from urllib.error import URLError

from reports.providers.base import SENDER_NAME, Mail, Verdict, with_ascii_domain

TIMEOUT_SECONDS = 10.0
ACCEPTED = range(200, 300)
# Answers of something between us and SendGrid that waited in vain: SendGrid may have taken the mail all the same.
GATEWAY_GAVE_UP = (HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT)
UNREACHABLE = (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH)


class SendGridProvider:
    """The `sendgrid` package with a time-out, which it lacks by default.

    An HTTP status is a verdict. A broken connection is one only if it broke before the request.
    """

    name = "sendgrid"

    def __init__(self, api_key: str, base_url: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        from sendgrid import SendGridAPIClient

        client = SendGridAPIClient(api_key, host=base_url.rstrip("/"))
        client.client.timeout = timeout_seconds
        self._client = client

    def send(self, mail: Mail) -> Verdict:
        from python_http_client.exceptions import HTTPError

        try:
            answer = self._client.send(_body(mail))
        except HTTPError as error:
            return _refusal(error.status_code, error.headers, error.body)
        except URLError as error:
            return _broken(error.reason)
        except (OSError, HTTPException) as error:
            return Verdict("unknown", f"no answer to the request: {_told(error)}")
        if answer.status_code in ACCEPTED:
            return Verdict("accepted", message_id=answer.headers.get("X-Message-Id"))
        return Verdict("unknown", f"an answer that SendGrid does not give: HTTP {answer.status_code}")


def _body(mail: Mail) -> dict[str, Any]:
    """The request, as SendGrid's v3 API takes it. Its event webhook gives `custom_args` back."""
    return {
        "personalizations": [{"to": [{"email": with_ascii_domain(mail.recipient)}]}],
        "from": {"email": with_ascii_domain(mail.sender), "name": SENDER_NAME},
        "subject": mail.subject,
        "content": [{"type": "text/plain", "value": mail.text}, {"type": "text/html", "value": mail.html}],
        "headers": {"Message-ID": mail.message_id(), **mail.headers},
        "custom_args": {"report_id": str(mail.report_id)},
        # Links lead to the dashboard, and nobody's reading is watched.
        "tracking_settings": {"click_tracking": {"enable": False}, "open_tracking": {"enable": False}},
    }


def _refusal(status: int, headers: Message, body: object) -> Verdict:
    reason = f"HTTP {status}: {_messages(body)}"
    if status in GATEWAY_GAVE_UP:
        return Verdict("unknown", reason)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Verdict("later", reason, pause_seconds=_wished_pause(headers), concerns_all=True)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        is_down = status == HTTPStatus.SERVICE_UNAVAILABLE
        return Verdict("later", reason, pause_seconds=_wished_pause(headers), concerns_all=is_down)
    # A wrong key is refused with every mail.
    return Verdict("refused", reason, concerns_all=status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN))


def _wished_pause(headers: Message) -> float | None:
    """Seconds to wait as `Retry-After` (seconds or a date) or `X-RateLimit-Reset` (a Unix time) say it."""
    if after := headers.get("Retry-After"):
        try:
            return max(0.0, float(after))
        except ValueError:
            try:
                return max(0.0, parsedate_to_datetime(after).timestamp() - time.time())
            except ValueError:
                return None
    try:
        return max(0.0, float(headers.get("X-RateLimit-Reset", "")) - time.time())
    except ValueError:
        return None


def _broken(cause: object) -> Verdict:
    """urllib wraps what goes wrong up to the end of sending the request."""
    never_connected = (
        isinstance(cause, (socket.gaierror, ssl.SSLCertVerificationError))
        or (isinstance(cause, OSError) and cause.errno in UNREACHABLE)
    )  # fmt: skip
    if never_connected:
        return Verdict("later", f"cannot connect: {_told(cause)}", concerns_all=True)
    return Verdict("unknown", f"broken off while sending: {_told(cause)}")


def _messages(body: object) -> str:
    """SendGrid's own words: `{"errors": [{"message": …}]}`."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)
    try:
        text = "; ".join(str(error["message"]) for error in json.loads(text)["errors"])
    except (ValueError, KeyError, TypeError):
        text = " ".join(text.split())
    return text[:300] or "no reason given"


def _told(error: object) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
