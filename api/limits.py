"""How much one key may send: a token bucket per key, in the memory of this process."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from api.auth import Caller
from api.problems import TooManyRequestsError

# Seconds of the permitted rate that may come at once.
BURST_SECONDS = 2


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class RateLimit:
    """Lets a key send `per_second` rows a second in the long run, and twice as many at once.

    A request that has been let in may overdraw, so that a batch need not be smaller than the bucket; the key
    then waits until the debt is paid.
    """

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._most = per_second * BURST_SECONDS
        self._clock = clock
        # As many as there are keys: nobody gets here without one.
        self._buckets: dict[int, _Bucket] = {}

    def spend(self, caller: Caller, rows: int = 1) -> None:
        """Let a request in, and take its rows off the bucket.

        Raises:
            TooManyRequestsError: the bucket is empty.
        """
        bucket = self._filled(caller)
        if bucket.tokens < 1:
            wait = math.ceil((1 - bucket.tokens) / self._per_second)
            raise TooManyRequestsError(
                f"It may send {self._per_second:g} rows a second.", headers={"Retry-After": str(wait)}
            )
        bucket.tokens -= rows

    def spend_more(self, caller: Caller, rows: int) -> None:
        """Take off what turned out only after the request had been let in."""
        self._filled(caller).tokens -= rows

    def _filled(self, caller: Caller) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.setdefault(caller.key_id, _Bucket(self._most, now))
        bucket.tokens = min(self._most, bucket.tokens + (now - bucket.filled_at) * self._per_second)
        bucket.filled_at = now
        return bucket
