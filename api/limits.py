"""How much one client may send: token buckets, in the memory of this process."""

import math
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

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


class FailureLimit:
    """Answers an address that fails too often with 429.

    It counts failures alone and is asked after the credential was looked at: keys and tokens of 256 bits cannot be
    guessed, so a right one is always let in, and nobody can lock somebody else out, whatever address they share. What
    the limit saves is work and noise, not secrets.
    """

    def __init__(
        self,
        error: type[ApiError],
        per_second: float,
        at_once: int,
        clock: Callable[[], float],
    ) -> None:
        self._error = error
        self._buckets = _Buckets(per_second, at_once, clock)

    def note(self, address: str) -> None:
        """Count a failure.

        Raises:
            ApiError: the kind that was given: too many have failed.
        """
        wait = self._buckets.spend(network_of(address), 1)
        if wait is not None:
            detail = (
                f"Too many failures from this address; wait {wait} seconds. A key or link that is right still works."
            )
            raise self._error(detail, headers={"Retry-After": str(wait)})


class ActionLimit:
    """Lets one caller do something that leaves a row only so often."""

    def __init__(self, error: type[ApiError], per_second: float, at_once: int, clock: Callable[[], float]) -> None:
        self._error = error
        self._buckets = _Buckets(per_second, at_once, clock)

    def spend(self, who: Hashable) -> None:
        """
        Raises:
            ApiError: the kind that was given.
        """
        wait = self._buckets.spend(who, 1)
        if wait is not None:
            raise self._error(f"Wait {wait} seconds before the next one.", headers={"Retry-After": str(wait)})


def failed_log_in_limit(clock: Callable[[], float] = time.monotonic) -> FailureLimit:
    return FailureLimit(TooManyLogInsError, FAILED_LOG_INS_PER_SECOND, FAILED_LOG_INS_AT_ONCE, clock)


def failed_key_limit(clock: Callable[[], float] = time.monotonic) -> FailureLimit:
    return FailureLimit(TooManyFailedKeysError, FAILED_KEYS_PER_SECOND, FAILED_KEYS_AT_ONCE, clock)


def log_in_limit(clock: Callable[[], float] = time.monotonic) -> ActionLimit:
    return ActionLimit(TooManyLogInsError, LOG_INS_PER_SECOND, LOG_INS_AT_ONCE, clock)


def link_limit(clock: Callable[[], float] = time.monotonic) -> ActionLimit:
    return ActionLimit(TooManyLogInsError, LINKS_PER_SECOND, LINKS_AT_ONCE, clock)


def failed_page_limit(clock: Callable[[], float] = time.monotonic) -> FailureLimit:
    return FailureLimit(TooManyLogInsError, FAILED_LOG_INS_PER_SECOND, FAILED_LOG_INS_AT_ONCE, clock)


def appeal_limit(clock: Callable[[], float] = time.monotonic) -> ActionLimit:
    return ActionLimit(TooManyRequestsError, APPEALS_PER_SECOND, APPEALS_AT_ONCE, clock)


def export_limit(clock: Callable[[], float] = time.monotonic) -> ActionLimit:
    return ActionLimit(TooManyRequestsError, EXPORTS_PER_SECOND, EXPORTS_AT_ONCE, clock)


def mail_test_limit(clock: Callable[[], float] = time.monotonic) -> ActionLimit:
    return ActionLimit(TooManyRequestsError, MAIL_TESTS_PER_SECOND, MAIL_TESTS_AT_ONCE, clock)
