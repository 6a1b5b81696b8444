"""How much one client may send: token buckets in the memory of this process. shared_limits.py has others."""

import math
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Protocol

from api.addresses import network_of
from api.key_ring import Caller
from api.problems import ApiError, TooManyFailedKeysError, TooManyLogInsError, TooManyRequestsError

# Seconds of the permitted rate that may come at once.
BURST_SECONDS = 2
MOST_BUCKETS = 10_000
FAILED_LOG_INS_PER_SECOND, FAILED_LOG_INS_AT_ONCE = 0.5, 10
# Programs that go on with a key that has ended ask more often than people.
FAILED_KEYS_PER_SECOND, FAILED_KEYS_AT_ONCE = 1, 30
# Each opens a session, which is a row for a week.
LOG_INS_PER_SECOND, LOG_INS_AT_ONCE = 1, 100
# By address, which a whole office may share; what one person gets is limited where it is queued.
LINKS_PER_SECOND, LINKS_AT_ONCE = 1 / 3, 20
# By tutor. Each is a row and a mail to the tutor.
APPEALS_PER_SECOND, APPEALS_AT_ONCE = 1 / 60, 20
EXPORTS_PER_SECOND, EXPORTS_AT_ONCE = 0.1, 30
# Of one person: each kind once, and then one a minute.
MAIL_TESTS_PER_SECOND, MAIL_TESTS_AT_ONCE = 1 / 60, 6


@dataclass(frozen=True, slots=True)
class Rate:
    """What a bucket gets a second, and what it holds at most. `name` tells the buckets of one limit from all others."""

    name: str
    per_second: float
    at_once: float


class Buckets(Protocol):
    """A bucket for everybody and each rate, full at first."""

    async def spend(self, rate: Rate, who: Hashable, tokens: int) -> int | None:
        """Take tokens off; a bucket that is not empty may be overdrawn. From an empty one nothing is taken: then it is
        said how many seconds to wait."""

    async def overdraw(self, rate: Rate, who: Hashable, tokens: int) -> None:
        """Take tokens off, whatever is left."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class MemoryBuckets:
    """Those of one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, dict[Hashable, _Bucket]] = {}

    async def spend(self, rate: Rate, who: Hashable, tokens: int) -> int | None:
        bucket = self._filled(rate, who)
        if bucket.tokens < 1:
            return math.ceil((1 - bucket.tokens) / rate.per_second)
        bucket.tokens -= tokens
        return None

    async def overdraw(self, rate: Rate, who: Hashable, tokens: int) -> None:
        self._filled(rate, who).tokens -= tokens

    def _filled(self, rate: Rate, who: Hashable) -> _Bucket:
        """The bucket as it is now."""
        now = self._clock()
        buckets = self._buckets.setdefault(rate.name, {})
        bucket = buckets.get(who)
        if bucket is None:
            if len(buckets) >= MOST_BUCKETS:
                # Only a flood from ever new addresses gets here; forgetting lets nobody guess a key.
                buckets.clear()
            bucket = buckets[who] = _Bucket(rate.at_once, now)
        bucket.tokens = min(rate.at_once, bucket.tokens + (now - bucket.filled_at) * rate.per_second)
        bucket.filled_at = now
        return bucket


class RateLimit:
    """Lets a key send `per_second` rows a second in the long run, and twice as many at once.

    A request that has been let in may overdraw, so that a batch need not be smaller than the bucket; the key
    then waits until the debt is paid.
    """

    def __init__(self, buckets: Buckets, per_second: float) -> None:
        self._detail = f"It may send {per_second:g} rows a second."
        self._rate = Rate("rows", per_second, per_second * BURST_SECONDS)
        self._buckets = buckets

    async def spend(self, caller: Caller, rows: int = 1) -> None:
        """Let a request in, and take its rows off the bucket.

        Raises:
            TooManyRequestsError: the bucket is empty.
        """
        wait = await self._buckets.spend(self._rate, caller.key_id, rows)
        if wait is not None:
            raise TooManyRequestsError(self._detail, headers={"Retry-After": str(wait)})

    async def spend_more(self, caller: Caller, rows: int) -> None:
        """Take off what turned out only after the request had been let in."""
        await self._buckets.overdraw(self._rate, caller.key_id, rows)


class FailureLimit:
    """Answers an address that fails too often with 429.

    It counts failures alone and is asked after the credential was looked at: keys and tokens of 256 bits cannot be
    guessed, so a right one is always let in, and nobody can lock somebody else out, whatever address they share. What
    the limit saves is work and noise, not secrets.
    """

    def __init__(self, error: type[ApiError], buckets: Buckets, rate: Rate) -> None:
        self._error = error
        self._buckets = buckets
        self._rate = rate

    async def note(self, address: str) -> None:
        """Count a failure.

        Raises:
            ApiError: the kind that was given: too many have failed.
        """
        wait = await self._buckets.spend(self._rate, network_of(address), 1)
        if wait is not None:
            detail = (
                f"Too many failures from this address; wait {wait} seconds. A key or link that is right still works."
            )
            raise self._error(detail, headers={"Retry-After": str(wait)})


class ActionLimit:
    """Lets one caller do something that leaves a row only so often."""

    def __init__(self, error: type[ApiError], buckets: Buckets, rate: Rate) -> None:
        self._error = error
        self._buckets = buckets
        self._rate = rate

    async def spend(self, who: Hashable) -> None:
        """
        Raises:
            ApiError: the kind that was given.
        """
        wait = await self._buckets.spend(self._rate, who, 1)
        if wait is not None:
            raise self._error(f"Wait {wait} seconds before the next one.", headers={"Retry-After": str(wait)})


def failed_log_in_limit(buckets: Buckets) -> FailureLimit:
    rate = Rate("failed log-ins", FAILED_LOG_INS_PER_SECOND, FAILED_LOG_INS_AT_ONCE)
    return FailureLimit(TooManyLogInsError, buckets, rate)


def failed_key_limit(buckets: Buckets) -> FailureLimit:
    rate = Rate("failed keys", FAILED_KEYS_PER_SECOND, FAILED_KEYS_AT_ONCE)
    return FailureLimit(TooManyFailedKeysError, buckets, rate)


def log_in_limit(buckets: Buckets) -> ActionLimit:
    return ActionLimit(TooManyLogInsError, buckets, Rate("log-ins", LOG_INS_PER_SECOND, LOG_INS_AT_ONCE))


def link_limit(buckets: Buckets) -> ActionLimit:
    return ActionLimit(TooManyLogInsError, buckets, Rate("links", LINKS_PER_SECOND, LINKS_AT_ONCE))


def failed_page_limit(buckets: Buckets) -> FailureLimit:
    rate = Rate("failed pages", FAILED_LOG_INS_PER_SECOND, FAILED_LOG_INS_AT_ONCE)
    return FailureLimit(TooManyLogInsError, buckets, rate)


def appeal_limit(buckets: Buckets) -> ActionLimit:
    return ActionLimit(TooManyRequestsError, buckets, Rate("appeals", APPEALS_PER_SECOND, APPEALS_AT_ONCE))


def export_limit(buckets: Buckets) -> ActionLimit:
    return ActionLimit(TooManyRequestsError, buckets, Rate("exports", EXPORTS_PER_SECOND, EXPORTS_AT_ONCE))


def mail_test_limit(buckets: Buckets) -> ActionLimit:
    return ActionLimit(TooManyRequestsError, buckets, Rate("mail tests", MAIL_TESTS_PER_SECOND, MAIL_TESTS_AT_ONCE))
