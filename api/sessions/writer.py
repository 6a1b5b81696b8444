"""Puts single posts that come at the same time into one transaction: one commit for many answers.

While one batch is being committed the next one gathers; a post that comes alone does not wait for company.
"""

import asyncio
import json
from collections import deque
from collections.abc import Coroutine, Sequence
from contextvars import Context, copy_context
from dataclasses import asdict, dataclass
from typing import Any

import structlog

from api.bodies import invalid
from api.idempotency import Claim
from api.logs import where_raised
from api.problems import ApiError, BusyError, FieldError, InternalError, InvalidRequestError
from api.sessions.ledger import STATEMENT_ROWS, Answer, Ledger, Outcome, Post, Receipt
from ingest.rows import Faults, Row, check, delivered_id, read_by_model, read_by_parser

# Only a burst brings as many. The event loop turns slowly then, and each batch takes several turns: large ones pay.
MOST_ROWS = STATEMENT_ROWS
GATHER_SECONDS = 0.001
MOST_WAITING_BYTES = 16 << 20

_encode = json.JSONEncoder(ensure_ascii=False).encode

log = structlog.get_logger("api")


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A post in the line; its row is None until the parser has seen it, if its model does not read it."""

    body: object
    row: Row | None
    size: int
    claim: Claim | None
    answer: asyncio.Future[str]
    context: Context | None

    def settle(self, answer: Answer) -> None:
        if self.answer.done():
            return
        if isinstance(answer, ApiError):
            self.answer.set_exception(answer)
        else:
            self.answer.set_result(answer)


class SessionWriter:
    """The line of posted sessions before the ledger. `run` has to be running for anything to be written."""

    def __init__(self, ledger: Ledger, timezone: str, most_waiting: int, *, is_traced: bool = False) -> None:
        self._ledger = ledger
        self._is_traced = is_traced
        self._timezone = timezone
        self._most_waiting = most_waiting
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._arrived = asyncio.Event()

    def require_room(self) -> None:
        """
        Raises:
            BusyError: as many posts wait as may wait.
        """
        if len(self._waiting) >= self._most_waiting or self._waiting_bytes >= MOST_WAITING_BYTES:
            raise BusyError("Too many sessions wait to be written.", headers={"Retry-After": "1"})

    @property
    def waiting(self) -> int:
        """Posts in the line."""
        return len(self._waiting)

    async def submit(self, body: object, size: int, claim: Claim | None = None) -> str:
        """The answer's body, when the session is durably stored.

        Args:
            size: bytes that the body takes while it waits.

        Raises:
            ApiError: it is not stored, and why; after a `BusyError` it may be.
        """
        self.require_room()
        answer = asyncio.get_running_loop().create_future()
        context = copy_context() if self._is_traced else None
        waiting = _Waiting(body, read_by_model(body), size, claim, answer, context)
        self._waiting.append(waiting)
        self._waiting_bytes += size
        self._arrived.set()
        return await waiting.answer

    async def override(self, body: object, claim: Claim | None, override_by: str) -> str:
        """The answer's body, when the session is stored in place of whatever version there is; past the line.

        Raises:
            ApiError: it is not stored, and why.
        """
        self.require_room()
        [row] = await asyncio.to_thread(check, [body], self._timezone)
        if isinstance(row, Faults):
            raise _invalid(row)
        [answer] = await self._ledger.write([_post(row, body, claim)], override_by)
        if isinstance(answer, ApiError):
            raise answer
        return answer

    async def run(self) -> None:
        """Write what waits, batch after batch, until cancelled. No failure ends it."""
        batch: list[_Waiting] = []
        while True:
            await self._arrived.wait()
            if len(self._waiting) < len(batch):
                # More came the last time, so more may be on their way. A batch costs about as much as ten rows.
                await asyncio.sleep(GATHER_SECONDS)
            batch = self._take()
            try:
                # Its statements then stand in the trace of its first post.
                await self._as_part_of(batch[0].context, self._write(batch))
            except ApiError as error:
                # What waits behind would fail as well, only later, one time-out after the other.
                batch += self._take(len(self._waiting))
                _settle(batch, [error] * len(batch))
            except Exception as error:
                log.error("batch not written", error=type(error).__qualname__, raised_at=where_raised(error))
                _settle(batch, [InternalError("The error has been logged.")] * len(batch))

    @staticmethod
    async def _as_part_of(context: Context | None, work: Coroutine[Any, Any, None]) -> None:
        await (work if context is None else asyncio.create_task(work, context=context))

    def _take(self, most: int = MOST_ROWS) -> list[_Waiting]:
        batch = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        self._waiting_bytes -= sum(waiting.size for waiting in batch)
        if not self._waiting:
            self._arrived.clear()
        return batch

    async def _write(self, batch: Sequence[_Waiting]) -> None:
        good: list[_Waiting] = []
        posts: list[Post] = []
        left = [waiting.body for waiting in batch if waiting.row is None]
        parsed = iter(read_by_parser(left, self._timezone) if left else [])
        for waiting in batch:
            row = waiting.row or next(parsed)
            if isinstance(row, Row):
                good.append(waiting)
                posts.append(_post(row, waiting.body, waiting.claim))
            else:
                waiting.settle(_invalid(row))
        if posts:
            _settle(good, await self._ledger.write(posts))


def _settle(batch: Sequence[_Waiting], answers: Sequence[Answer]) -> None:
    for waiting, answer in zip(batch, answers, strict=True):
        waiting.settle(answer)


def _invalid(row: Faults) -> InvalidRequestError:
    return invalid([FieldError(**asdict(fault)) for fault in row.errors])


def _post(row: Row, posted: object, claim: Claim | None) -> Post:
    def render(outcomes: Sequence[Outcome]) -> Receipt:
        [outcome] = outcomes
        if outcome.error is not None:
            raise outcome.error
        body: dict[str, object] = {"session_id": delivered_id(posted), "status": "queued"}
        if outcome.status != "queued":
            body[outcome.status] = True
        return Receipt(_encode(body | outcome.remarks))

    return Post([row], render, claim)
