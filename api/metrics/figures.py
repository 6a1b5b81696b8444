"""What the database tells about the platform, looked up every ten seconds at most, however often it is asked for."""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import asyncpg
import structlog
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from api.database import with_connection
from api.health.queries import HealthProbe
from api.health.schemas import Health, Status
from api.sessions.live import LiveScores, Refreshed
from api.sessions.writer import SessionWriter

REMEMBERED_SECONDS = 10
TIMEOUT_SECONDS = 5

COUNTS = """
with states (state) as (
    values ('queued'), ('sending'), ('sent'), ('failed'), ('unknown'), ('suppressed')
),

mails as (
    select state, count(*) as mails from app.email_reports where channel = 'mail' group by state
)

select
    (select count(*) from raw.changes) as changes,
    (select count(*) from raw.quarantine where not is_remark) as quarantine,
    (
        select json_object_agg(states.state, coalesce(mails.mails, 0))
        from states
        left join mails on states.state = mails.state
    ) as mails,
    (
        select extract(epoch from now() - min(greatest(next_attempt_at, created_at)))::double precision
        from app.email_reports
        where state = 'queued' and channel = 'mail' and next_attempt_at <= now()
    ) as oldest_due_mail_seconds
"""

log = structlog.get_logger("api")


class PlatformFigures(Collector):
    """Figures as they were when last looked up. What could not be looked up is not shown, rather than as 0."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        probe: HealthProbe,
        writer: SessionWriter,
        live: LiveScores,
        registry: CollectorRegistry,
    ) -> None:
        self._pool = pool
        self._probe = probe
        self._writer = writer
        self._live = live
        self._lock = asyncio.Lock()
        self._latest: tuple[float, Health, dict[str, Any] | None] | None = None
        registry.register(self)

    async def look(self) -> None:
        """Bring the figures up to date. Raises nothing."""
        async with self._lock:
            if self._latest is None or time.monotonic() - self._latest[0] > REMEMBERED_SECONDS:
                health, counts = await asyncio.gather(self._probe.health(), self._counts())
                self._latest = (time.monotonic(), health, counts)

    def collect(self) -> Iterator[Metric]:
        """For the registry."""
        yield _gauge("tutorq_ingest_waiting_rows", "Posted rows that wait for a commit.", self._writer.waiting)
        refreshed = CounterMetricFamily(
            "tutorq_live_scores_sessions", "Posted sessions, by when their scores were refreshed.", labels=["when"]
        )
        for when in Refreshed:
            refreshed.add_metric([when], self._live.sessions[when])
        yield refreshed
        if self._latest is None:
            return
        _, health, counts = self._latest
        checks = health.checks
        is_up = checks.database.status is Status.OK
        yield _gauge("tutorq_database_up", "1 if the database answers.", float(is_up))
        if checks.unprocessed_changes.status is not Status.UNKNOWN:
            oldest = checks.unprocessed_changes.oldest_age_seconds or 0
            yield _gauge("tutorq_unprocessed_oldest_seconds", "Age of the oldest unprocessed change, or 0.", oldest)
        for name, text, value in (
            ("tutorq_publication_generation", "Number of the publication.", checks.publication.generation),
            ("tutorq_publication_age_seconds", "Age of the publication.", checks.publication.age_seconds),
            (
                "tutorq_daemon_heartbeat_age_seconds",
                "Since the Dagster daemon was last heard of.",
                checks.dagster_daemon.heartbeat_age_seconds,
            ),
        ):
            if value is not None:
                yield _gauge(name, text, value)
        if counts is not None:
            yield _gauge("tutorq_unprocessed_changes", "Changes that are not in the marts yet.", counts["changes"])
            yield _gauge("tutorq_quarantine_rows", "Rows in quarantine.", counts["quarantine"])
            due = counts["oldest_due_mail_seconds"] or 0
            yield _gauge("tutorq_outbox_oldest_due_seconds", "How long the oldest mail has been due, or 0.", due)
            mails = GaugeMetricFamily("tutorq_outbox_mails", "Mails by state.", labels=["state"])
            for state, number in json.loads(counts["mails"]).items():
                mails.add_metric([state], number)
            yield mails

    async def _counts(self) -> dict[str, Any] | None:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                row = await with_connection(self._pool, lambda connection: connection.fetchrow(COUNTS))
        except Exception as error:
            log.debug("figures not to be had", error=type(error).__qualname__)
            return None
        return dict(row) if row else None


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)
