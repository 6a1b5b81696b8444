"""What is counted in this process as it happens: requests, and rows that were posted."""

import dataclasses
from collections.abc import Sequence
from functools import lru_cache

import asyncpg
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics

from api.problems import ErasedError
from api.sessions.ledger import Answer, Ledger, Outcome, Post, Receipt
from core.erased import ErasedIds

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
REMEMBERED_LABELS = 1024


class Instruments:
    """The counters of one API process, with a registry of their own."""

    def __init__(self) -> None:
        # When each counter began is of use in a format that is not spoken here, and doubles the answer.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "tutorq_http_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "tutorq_http_request_duration_seconds",
            "Time to the end of the answer.",
            ["method", "route"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        # The client's own look-up by labels takes longer than to count.
        self._of_requests = lru_cache(REMEMBERED_LABELS)(self._labelled)
        rows = Counter("tutorq_ingest_rows", "Rows posted, by outcome.", ["outcome"], registry=self.registry)
        self.accepted = rows.labels("accepted")
        self.duplicate = rows.labels("duplicate")
        self.stale = rows.labels("stale")
        self.conflict = rows.labels("conflict")
        self.quarantined = rows.labels("quarantined")

        self.event_streams = Gauge("tutorq_event_streams", "Open streams of events.", registry=self.registry)

    def count_request(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """By route template, never by path, which may name somebody."""
        number, duration = self._of_requests(method, route, status)
        number.inc()
        duration.observe(seconds)

    def _labelled(self, method: str, route: str | None, status: int) -> tuple[Counter, Histogram]:
        method, route = method if method in METHODS else OTHER, route or OTHER
        return self.requests.labels(method, route, str(status)), self.seconds.labels(method, route)

    def outcome(self, outcome: Outcome) -> Counter:
        """What counts a row that was taken."""
        return {
            "queued": self.accepted,
            "duplicate": self.duplicate,
            "stale": self.stale,
            "conflict": self.conflict,
        }[outcome.status]


class CountedLedger(Ledger):
    """The ledger, with what became of each row counted once it is certain."""

    def __init__(
        self, pool: asyncpg.Pool, commit_seconds: float, instruments: Instruments, erased: ErasedIds | None = None
    ) -> None:
        super().__init__(pool, commit_seconds, erased)
        self._instruments = instruments

    async def write(self, posts: Sequence[Post], override_by: str | None = None) -> list[Answer]:
        # Rendered anew at every attempt; the last one counts.
        found: dict[int, tuple[Sequence[Outcome], Receipt]] = {}
        noting = [_noting(post, place, found) for place, post in enumerate(posts)]
        answers = await super().write(noting, override_by)
        for outcomes, receipt in found.values():
            for outcome in outcomes:
                if outcome.error is None:
                    self._instruments.outcome(outcome).inc()
                if outcome.is_conflict or isinstance(outcome.error, ErasedError):
                    self._instruments.quarantined.inc()
            self._instruments.quarantined.inc(len(receipt.rejected))
        return answers


def _noting(post: Post, place: int, found: dict[int, tuple[Sequence[Outcome], Receipt]]) -> Post:
    def render(outcomes: Sequence[Outcome]) -> Receipt:
        found.pop(place, None)
        receipt = post.render(outcomes)
        found[place] = (outcomes, receipt)
        return receipt

    return dataclasses.replace(post, render=render)
