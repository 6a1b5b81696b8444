"""A transport that sends a request again where that may help and cannot do harm."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from uuid import uuid4

import httpx

TRIED_AGAIN = (429, 503)
FIRST_WAIT_SECONDS = 0.5


class PersistentTransport(httpx.BaseTransport):
    """Sends again after 429, 503, 409 with `Retry-After`, and lost connections.

    Once more does no harm: each POST gets an `Idempotency-Key`, and a change or deletion that was made already is not
    made twice (it may then be answered 404, or 409 if it names a version).

    It waits as long as `Retry-After` says, else twice as long each time. An answer that asks for more than
    `longest_wait` seconds is handed on, as is the last of so many `attempts`.
    """

    def __init__(
        self,
        inner: httpx.BaseTransport,
        attempts: int,
        longest_wait: float,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._inner = inner
        self._attempts = attempts
        self._longest_wait = longest_wait
        self._sleep = sleep

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            request.headers.setdefault("Idempotency-Key", str(uuid4()))
        for attempt in range(1, self._attempts):
            try:
                response = self._inner.handle_request(request)
            except httpx.TransportError:
                wait = None
            else:
                wait = wanted_wait(response.headers.get("retry-after"))
                # Without a wait, a conflict stays one.
                is_passing = response.status_code == httpx.codes.CONFLICT and wait is not None
                if response.status_code not in TRIED_AGAIN and not is_passing:
                    return response
                if wait is not None and wait > self._longest_wait:
                    return response
                response.close()
            if wait is None:
                # Clients that failed together do not come back together.
                wait = min(FIRST_WAIT_SECONDS * 2 ** (attempt - 1), self._longest_wait) * random.uniform(0.5, 1)
            self._sleep(wait)
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()


def wanted_wait(retry_after: str | None) -> float | None:
    """Seconds that a `Retry-After` header asks for, which is a number or a date; None if it does not say."""
    if retry_after is None:
        return None
    try:
        return max(float(retry_after), 0)
    except ValueError:
        pass
    try:
        return max((parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds(), 0)
    except (TypeError, ValueError):
        return None
