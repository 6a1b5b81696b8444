"""Requests with an Idempotency-Key: sent again, they get their first answer.

Posted sessions are claimed in the transaction that writes them (sessions/ledger.py). For any other POST the claim is a
transaction around the request: it is committed with the answer. A second request under the same key waits for the
first, and if the process dies in between, the claim is gone, and the request may be sent again.
"""

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import asyncpg
import structlog
from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import Message

from api import bodies
from api.callers import AnyCaller
from api.database import PASSING_ERRORS, UNREACHABLE_ERRORS
from api.problems import ConflictError, DatabaseUnavailableError, FieldError, IdempotencyMismatchError
from api.turns import Turns

HEADER = "Idempotency-Key"
PATTERN = re.compile(r"[!-~]{1,255}")
PARAMETER: dict[str, Any] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "pattern": f"^{PATTERN.pattern}$"},
    "description": "A unique name of the request, remembered for 24 hours: a repeated request under it gets the first "
    "answer again.",
}
# The largest body of any operation; each has its own limit besides.
MOST_BYTES = 20 << 20
# Requests of one caller and in all: their bodies are in memory, and each holds a connection.
PER_CALLER, IN_ALL = 3, 6
# How long a request waits for its turn, and for another one under the same key.
PATIENCE_SECONDS = 5
# An answer is given within that time, or never.
LONGEST_SECONDS = 120
FORGET_EVERY_SECONDS = 3600

# In key order, as all locks of posts. An expired one is claimed anew.
CLAIM = """
insert into app.idempotency_keys as known (caller, idempotency_key, request_sha256)
select caller, idempotency_key, request_sha256
from unnest($1::text[], $2::text[], $3::bytea[]) as claimed (caller, idempotency_key, request_sha256)
order by caller, idempotency_key
on conflict (caller, idempotency_key) do update
set request_sha256 = excluded.request_sha256, answer = null, created_at = now()
where known.created_at < now() - interval '24 hours'
returning caller, idempotency_key
"""
RECALL = """
select known.caller, known.idempotency_key, known.request_sha256, known.answer, known.status, known.headers::text
from app.idempotency_keys as known
inner join unnest($1::text[], $2::text[]) as asked (caller, idempotency_key)
    on asked.caller = known.caller and asked.idempotency_key = known.idempotency_key
"""
REMEMBER = """
update app.idempotency_keys set answer = $3, status = $4, headers = $5::text::jsonb
where caller = $1 and idempotency_key = $2
"""
FORGET_EXPIRED = "delete from app.idempotency_keys where created_at < now() - interval '24 hours'"

# Of the first connection and packing, not of the answer; a cookie is a secret.
NOT_KEPT = {"content-length", "set-cookie"}

log = structlog.get_logger("api")


class OnceResponse(Response):
    """JSON with a secret that is shown once: what is remembered of it, and given again, is `without`."""

    def __init__(self, content: str, without: str, status_code: int = 200) -> None:
        super().__init__(content, status_code, {"Cache-Control": "no-store"}, bodies.JSON)
        self.without = without


Work = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Claim:
    """A request's Idempotency-Key, within the caller that it came from. `path`: its address, query included."""

    caller: str
    idempotency_key: str
    request_sha256: bytes

    @staticmethod
    def of(caller: AnyCaller, idempotency_key: str, path: str, body: bytes) -> "Claim":
        name = " ".join(map(str, caller.counted_as))
        return Claim(name, idempotency_key, hashlib.sha256(path.encode() + b"\0" + body).digest())

    @property
    def name(self) -> tuple[str, str]:
        return self.caller, self.idempotency_key


def key_of(request: Request) -> str | None:
    """The key that the request came with.

    Raises:
        InvalidRequestError: it is none.
    """
    key = request.headers.get(HEADER)
    if key is not None and not PATTERN.fullmatch(key):
        raise bodies.invalid([FieldError(field=HEADER, message="must be 1 to 255 visible ASCII characters")])
    return key


def mismatch() -> IdempotencyMismatchError:
    return IdempotencyMismatchError("This Idempotency-Key was used with a different request. Use a new key.")


class Idempotency:
    """Answers requests of one Idempotency-Key once. Its pool of `IN_ALL` connections is its own."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._turns = Turns("requests with an Idempotency-Key", per_key=PER_CALLER, in_all=IN_ALL)

    @staticmethod
    def server_settings() -> dict[str, str]:
        """For the pool."""
        return {
            "lock_timeout": f"{PATIENCE_SECONDS}s",
            "idle_in_transaction_session_timeout": f"{LONGEST_SECONDS}s",
        }

    async def answer(self, caller: AnyCaller, key: str, request: Request, work: Work) -> Response:
        """The first answer, if the same request has been answered with success; else that of `work`.

        Raises:
            IdempotencyMismatchError: the key is that of another request.
            ConflictError: a request with this key is in progress.
            TooManyAtOnceError, OverloadedError, DatabaseUnavailableError: it was not looked at.
        """
        async with self._turns.turn(caller, PATIENCE_SECONDS):
            data = await bodies.read(request, MOST_BYTES)
            query = request.scope["query_string"].decode("latin-1")
            claim = Claim.of(caller, key, f"{request.method} {request.scope['path']}?{query}", data)
            try:
                connection = await self._pool.acquire(timeout=PATIENCE_SECONDS)
                try:
                    return await self._answer(connection, claim, _again(request, data), work)
                finally:
                    await self._pool.release(connection)
            except (*UNREACHABLE_ERRORS, *PASSING_ERRORS) as error:  # TimeoutError is an OSError
                raise DatabaseUnavailableError("Please try again in a moment.", headers={"Retry-After": "5"}) from error

    async def run(self) -> None:
        """Delete the keys that are older than a day, hour after hour, until cancelled."""
        while True:
            try:
                await self._pool.execute(FORGET_EXPIRED)
            except Exception as error:  # it is tried again in an hour
                log.warning("expired idempotency keys not deleted", error=type(error).__qualname__)
            await asyncio.sleep(FORGET_EVERY_SECONDS)

    async def _answer(self, connection: Any, claim: Claim, request: Request, work: Work) -> Response:
        claiming = connection.transaction()
        await claiming.start()
        try:
            response = await self._recalled(connection, claim)
            if response is not None:
                return response
            response = await work(request)
            if 200 <= response.status_code < 300:
                # What is done is answered, remembered or not.
                with suppress(*UNREACHABLE_ERRORS):
                    await connection.execute(REMEMBER, *claim.name, *_stored(response))
                    await claiming.commit()
            return response
        finally:
            # Of a transaction that is over nothing is left to be undone; if the connection is gone, so is the claim.
            with suppress(*UNREACHABLE_ERRORS):
                if connection.is_in_transaction():
                    await claiming.rollback()

    async def _recalled(self, connection: Any, claim: Claim) -> Response | None:
        try:
            if await connection.fetch(CLAIM, [claim.caller], [claim.idempotency_key], [claim.request_sha256]):
                return None
        except asyncpg.LockNotAvailableError as error:
            headers = {"Retry-After": "1"}
            raise ConflictError("A request with this Idempotency-Key is in progress.", headers=headers) from error
        except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as error:
            raise DatabaseUnavailableError("Its migrations have not been run yet.") from error
        known = await connection.fetchrow(RECALL, [claim.caller], [claim.idempotency_key])
        if known["request_sha256"] != claim.request_sha256:
            raise mismatch()
        response = Response(known["answer"], known["status"])
        response.raw_headers = [
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in json.loads(known["headers"])
        ]
        response.headers["content-length"] = str(len(response.body))
        return response


def _stored(response: Response) -> tuple[str, int, str]:
    headers = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in response.raw_headers
        if name.decode("latin-1") not in NOT_KEPT
    ]
    body = response.without if isinstance(response, OnceResponse) else bytes(response.body).decode()
    return body, response.status_code, json.dumps(headers)


def _again(request: Request, data: bytes) -> Request:
    """The request with its body, which has been read and unpacked, to be read once more."""
    scope = {**request.scope, "headers": list(request.scope["headers"])}
    headers = MutableHeaders(scope=scope)
    for name in ("content-encoding", "content-length", "transfer-encoding"):
        del headers[name]
    parts = _parts(data)

    async def receive() -> Message:
        return await anext(parts, {"type": "http.disconnect"})

    return Request(scope, receive)


async def _parts(data: bytes) -> AsyncIterator[Message]:
    yield {"type": "http.request", "body": data, "more_body": False}
