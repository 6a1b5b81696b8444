"""How much one client may send: token buckets, in the memory of this process."""

import math
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from api.auth import Caller
from api.problems import TooManyLogInsError, TooManyRequestsError

# Seconds of the permitted rate that may come at once.
BURST_SECONDS = 2
MOST_BUCKETS = 10_000
LOG_INS_PER_SECOND = 0.5
LOG_INS_AT_ONCE = 10


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class _Buckets:
    """A bucket for everybody, which holds `most` tokens and gets `per_second`."""

    def __init__(self, per_second: float, most: float, clock: Callable[[], float]) -> None:
        self._per_second = per_second
        self._most = most
        self._clock = clock
        self._buckets: dict[Hashable, _Bucket] = {}

    def spend(self, who: Hashable, tokens: int) -> int | None:
        """Take tokens off; one that is not empty may be overdrawn. From an empty one nothing is taken: then it is
        said how many seconds to wait."""
        bucket = self.filled(who)
        if bucket.tokens < 1:
            return math.ceil((1 - bucket.tokens) / self._per_second)
        bucket.tokens -= tokens
        return None

    def filled(self, who: Hashable) -> _Bucket:
        """The bucket as it is now."""
        now = self._clock()
        bucket = self._buckets.get(who)
        if bucket is None:
            if len(self._buckets) >= MOST_BUCKETS:
                # Only a flood from ever new addresses gets here; forgetting lets nobody guess a key.
                self._buckets.clear()
            bucket = self._buckets[who] = _Bucket(self._most, now)
        bucket.tokens = min(self._most, bucket.tokens + (now - bucket.filled_at) * self._per_second)
        bucket.filled_at = now
        return bucket


class RateLimit:
    """Lets a key send `per_second` rows a second in the long run, and twice as many at once.

    A request that has been let in may overdraw, so that a batch need not be smaller than the bucket; the key
    then waits until the debt is paid.
    """

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._detail = f"It may send {per_second:g} rows a second."
        self._buckets = _Buckets(per_second, per_second * BURST_SECONDS, clock)

    def spend(self, caller: Caller, rows: int = 1) -> None:
        """Let a request in, and take its rows off the bucket.

        Raises:
            TooManyRequestsError: the bucket is empty.
        """
        wait = self._buckets.spend(caller.key_id, rows)
        if wait is not None:
            raise TooManyRequestsError(self._detail, headers={"Retry-After": str(wait)})

    def spend_more(self, caller: Caller, rows: int) -> None:
        """Take off what turned out only after the request had been let in."""
        self._buckets.filled(caller.key_id).tokens -= rows


class LogInLimit:
    """Lets one address fail to log in ten times at once, and every other second in the long run."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._buckets = _Buckets(LOG_INS_PER_SECOND, LOG_INS_AT_ONCE, clock)

    def spend(self, address: str) -> None:
        """
        Raises:
            TooManyLogInsError: too many have failed.
        """
        wait = self._buckets.spend(address, 1)
        if wait is not None:
            raise TooManyLogInsError("Wait a moment before the next one.", headers={"Retry-After": str(wait)})

    def forgive(self, address: str) -> None:
        """Give back the try that succeeded."""
        self._buckets.filled(address).tokens += 1
