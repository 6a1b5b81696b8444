"""Refused log-ins and keys, on their way to the audit log.

Whoever fails decides how often, so not every failure is an entry: those of one address and one reason are summed up,
and the log gets a hundred entries at once and one a minute in the long run, however many addresses there are.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from api.audit_writer import AuditWriter
from api.key_ring import Refused, Why
from core.audit import Action, Entry

PAUSE_SECONDS = 60
ENTRIES_PER_SECOND = 1 / 60
ENTRIES_AT_ONCE = 100
# What is kept apart in memory; of more than that, only the number is known.
MOST_SUMS = 1000
OTHERS = "other addresses"

log = structlog.get_logger("api")


@dataclass(frozen=True, slots=True)
class _Failure:
    action: Action
    address: str
    why: Why
    key: str | None = None

    @property
    def of_others(self) -> "_Failure":
        return _Failure(self.action, OTHERS, Why.UNKNOWN)


@dataclass(slots=True)
class _Sum:
    count: int
    first_at: datetime
    last_at: datetime

    def add(self, other: "_Sum") -> None:
        self.count += other.count
        self.first_at = min(self.first_at, other.first_at)
        self.last_at = max(self.last_at, other.last_at)


_Sums = dict[_Failure, _Sum]


class Refusals:
    """Notes failures without waiting, and writes them soon after: the first one at once, further ones each minute."""

    def __init__(self, writer: AuditWriter, clock: Callable[[], float] = time.monotonic) -> None:
        self._writer = writer
        self._clock = clock
        self._sums: _Sums = {}
        self._something = asyncio.Event()
        self._budget = float(ENTRIES_AT_ONCE)
        self._budgeted_at = clock()

    def note(self, action: Action, address: str, refused: Refused) -> None:
        """Count a failure."""
        failure = _Failure(action, address, refused.why, refused.name)
        if failure not in self._sums and len(self._sums) >= MOST_SUMS:
            failure = failure.of_others
        now = datetime.now(UTC)
        _add(self._sums, failure, _Sum(1, now, now))
        self._something.set()

    async def run(self) -> None:
        """Write what has been noted, until cancelled."""
        while True:
            await self._something.wait()
            await self.write()
            await asyncio.sleep(PAUSE_SECONDS)

    async def write(self) -> None:
        """Write what has been noted, as far as the budget goes."""
        due = self._within(self._left())
        if not due:
            return
        self._sums = {}
        self._something.clear()
        try:
            await self._writer.record(*(_entry(failure, total) for failure, total in due.items()))
            self._budget -= len(due)
        except asyncio.CancelledError:  # the API ends, and writes once more
            self._put_back(due)
            raise
        except Exception as error:  # nobody waits for this, and it is tried again
            log.warning("refused log-ins not in the audit log yet", error=type(error).__qualname__)
            self._put_back(due)

    def _put_back(self, due: _Sums) -> None:
        for failure, total in due.items():
            _add(self._sums, failure, total)
        self._something.set()

    def _left(self) -> int:
        """How many entries may be written now."""
        now = self._clock()
        earned = (now - self._budgeted_at) * ENTRIES_PER_SECOND
        self._budget, self._budgeted_at = min(ENTRIES_AT_ONCE, self._budget + earned), now
        return int(self._budget)

    def _within(self, most: int) -> _Sums:
        """All that has been noted, as so many sums: the largest ones apart. Nothing if there is no room for that."""
        if len(self._sums) <= most:
            return self._sums
        kinds = len({failure.action for failure in self._sums})
        if most < kinds:
            return {}
        ranked = sorted(self._sums.items(), key=lambda each: each[1].count, reverse=True)
        due: _Sums = {}
        for rank, (failure, total) in enumerate(ranked):
            _add(due, failure if rank < most - kinds else failure.of_others, total)
        return due


def _add(sums: _Sums, failure: _Failure, total: _Sum) -> None:
    if failure in sums:
        sums[failure].add(total)
    else:
        sums[failure] = total


def _entry(failure: _Failure, total: _Sum) -> Entry:
    details = {
        "why": failure.why,
        "key": failure.key,
        "count": total.count,
        "first_at": total.first_at,
        "last_at": total.last_at,
    }
    return Entry(f"unknown ({failure.address})", failure.action, "address", failure.address, details)
