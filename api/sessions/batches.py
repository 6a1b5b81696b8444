"""Many sessions in one request, written in one transaction; bad rows do not stop the others."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict

from api.idempotency import Claim
from api.key_ring import Caller
from api.problems import ApiError, ErasedError, InternalError, OverloadedError
from api.rows import NotJson
from api.sessions.ledger import Ledger, Outcome, Post, Receipt
from api.turns import Turns
from core.erased import REASON
from ingest.parser import quarantine_json
from ingest.rows import Fault, Faults, Row, check, delivered_id

MOST_BYTES = 20 << 20
# Batches that are checked and written at a time.
AT_A_TIME = 2
# Bodies that are read, or wait to be written, of one key and in all: at most 160 MiB. A key that sends slowly holds its
# own share, and keeps nobody else out.
PER_KEY = 2
IN_MEMORY = 8
# How long others wait for their turn.
PATIENCE_SECONDS = 5
# Rows checked between two looks at the rest of the world.
CHECKED_ROWS = 500
# Of a rejected row, in quarantine.
KEPT_CHARACTERS = 20_000


class BatchWriter:
    """Checks and writes batches, few at a time, so that memory is bounded."""

    def __init__(self, ledger: Ledger, timezone: str) -> None:
        self._ledger = ledger
        self._timezone = timezone
        self._places = asyncio.Semaphore(AT_A_TIME)
        self._bodies = Turns("batches", per_key=PER_KEY, in_all=IN_MEMORY)

    def turn(self, caller: Caller) -> AbstractAsyncContextManager[None]:
        """To be held from before the body is read.

        Raises:
            TooManyAtOnceError, OverloadedError: other batches take too long.
        """
        return self._bodies.turn(caller, PATIENCE_SECONDS)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """To be held while a batch, which is there completely, is checked and written.

        Raises:
            OverloadedError: other batches take too long.
        """
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._places.acquire()
        except TimeoutError as error:
            headers = {"Retry-After": f"{PATIENCE_SECONDS:.0f}"}
            raise OverloadedError("Other batches are being written.", headers=headers) from error
        try:
            yield
        finally:
            self._places.release()

    async def write(self, bodies: Sequence[object], claim: Claim | None = None, override_by: str | None = None) -> str:
        """The answer's body: what became of each row. `override_by` is as in `Ledger.write`.

        Raises:
            ApiError: nothing is known of the rows; they may be sent again.
        """
        checked: list[Row | Faults] = []
        for first in range(0, len(bodies), CHECKED_ROWS):
            part = [None if isinstance(body, NotJson) else body for body in bodies[first : first + CHECKED_ROWS]]
            checked += await asyncio.to_thread(check, part, self._timezone)

        def render(outcomes: Sequence[Outcome]) -> Receipt:
            return _receipt(bodies, checked, outcomes)

        post = Post([row for row in checked if isinstance(row, Row)], render, claim)
        [answer] = await self._ledger.write([post], override_by)
        if isinstance(answer, ApiError):
            raise answer
        return answer


def _receipt(bodies: Sequence[object], checked: Sequence[Row | Faults], outcomes: Sequence[Outcome]) -> Receipt:
    rows: list[dict[str, object]] = []
    rejected: list[tuple[str, str]] = []
    counts = {"queued": 0, "duplicate": 0, "stale": 0, "conflict": 0, "rejected": 0}
    of_good = iter(outcomes)
    for body, found in zip(bodies, checked, strict=True):
        faults = found if isinstance(found, Faults) else None
        outcome = next(of_good) if faults is None else Outcome()
        if isinstance(body, NotJson):
            faults = Faults([Fault("body", "is not JSON")])
        elif isinstance(outcome.error, InternalError):
            faults = Faults([Fault("body", "was refused by the database")])
        elif isinstance(outcome.error, ErasedError):
            faults = Faults([Fault("body", REASON)])
        elif outcome.error is not None:
            raise outcome.error
        status = "rejected" if faults else outcome.status
        counts[status] += 1
        row: dict[str, object] = {"session_id": delivered_id(body), "status": status, **outcome.remarks}
        if faults:
            row["errors"] = [asdict(error) for error in faults.errors]
        if faults and not isinstance(outcome.error, ErasedError):
            content = quarantine_json(body.text if isinstance(body, NotJson) else body, KEPT_CHARACTERS)
            rejected.append((faults.reason, content))
        rows.append(row)
    return Receipt(json.dumps({**counts, "rows": rows}, ensure_ascii=False), rejected)
