"""What the health check finds."""

import asyncio
import time
from collections.abc import Iterator

import httpx2
import psycopg
import pytest

from api.database import open_pool
from api.health.queries import HealthProbe
from api.health.schemas import Health, Status
from tests.api.conftest import Served


@pytest.fixture
def dagster(published: Served) -> Iterator[psycopg.Connection]:
    """Dagster's database with its table of heartbeats."""
    with psycopg.connect(published.database.dagster_url, autocommit=True) as connection:
        connection.execute('create table daemon_heartbeats (daemon_type text, "timestamp" timestamp not null)')
        yield connection
        connection.execute("drop table daemon_heartbeats")


class Clock:
    """The API's time since its start, in seconds."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def look(published: Served, dagster_url: str | None = None, *, up_seconds: float = 600, **limits: float) -> Health:
    async def health() -> Health:
        async with (
            open_pool(published.database.url, size=1) as pool,
            open_pool(dagster_url or published.database.dagster_url, size=1) as dagster_pool,
        ):
            clock = Clock()
            probe = HealthProbe(pool, dagster_pool, clock=clock, **limits)
            clock.now = up_seconds
            return await probe.health()

    return asyncio.run(health())


def test_health_over_http_needs_no_key(published: Served) -> None:
    response = httpx2.get(f"{published.base_url}/api/health?from=probe")
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    health = Health.model_validate_json(response.content)
    assert health.status is Status.OK
    assert health.checks.publication.generation == 7
    assert (health.checks.publication.age_seconds or 0) > 0


def test_scores_of_the_version_before_degrade_health(published: Served) -> None:
    rename = "alter table marts.tutor_concerns rename column {} to {}"
    with published.database.connect(autocommit=True) as connection:
        connection.execute(rename.format("raw_rate", "away").encode())
        try:
            health = look(published, up_seconds=0)
        finally:
            connection.execute(rename.format("away", "raw_rate").encode())
    assert (health.status, health.checks.publication.status) == (Status.DEGRADED, Status.DEGRADED)
    assert health.checks.publication.generation == 7


@pytest.mark.parametrize(
    ("up_seconds", "daemon", "status"), [(110, Status.STARTING, Status.OK), (130, Status.DEGRADED, Status.DEGRADED)]
)
def test_a_daemon_that_was_never_heard_of_may_still_come_at_the_start(
    published: Served, up_seconds: float, daemon: Status, status: Status
) -> None:
    missing = published.database.dagster_url.replace("/dagster", "/no_such_database")
    for url in (None, missing, "postgresql://nobody@127.0.0.1:1/nothing"):
        health = look(published, url, up_seconds=up_seconds)
        assert health.checks.dagster_daemon.status is daemon
        assert health.status is status


@pytest.mark.parametrize(
    ("age", "up_seconds", "daemon", "status"),
    [
        (60, 600, Status.OK, Status.OK),
        (150, 600, Status.DEGRADED, Status.DEGRADED),
        (150, 30, Status.STARTING, Status.OK),
        (60, 30, Status.OK, Status.OK),
    ],
)
def test_the_newest_heartbeat_counts(
    published: Served, dagster: psycopg.Connection, age: int, up_seconds: float, daemon: Status, status: Status
) -> None:
    for kind, seconds in (("SENSOR", age), ("RETIRED", 90_000)):
        dagster.execute(
            "insert into daemon_heartbeats values (%s, now() at time zone 'utc' - make_interval(secs => %s))",
            (kind, seconds),
        )
    health = look(published, up_seconds=up_seconds)
    assert health.checks.dagster_daemon.status is daemon
    assert health.checks.dagster_daemon.heartbeat_age_seconds == pytest.approx(age, abs=10)
    assert health.status is status
    assert look(published, up_seconds=600, daemon_silent_seconds=300).status is Status.OK


def test_the_oldest_unprocessed_change(published: Served) -> None:
    assert look(published, up_seconds=1).checks.unprocessed_changes.oldest_age_seconds is None
    with published.database.connect(autocommit=True) as connection:
        connection.execute(
            "insert into raw.changes (entity, entity_id, changed_at) values "
            "('tutor', gen_random_uuid(), now() - interval '5 minutes'), ('tutor', gen_random_uuid(), now())"
        )
        try:
            patient = look(published, up_seconds=1)
            strict = look(published, up_seconds=1, unprocessed_minutes=4)
        finally:
            connection.execute("delete from raw.changes")
    assert patient.checks.unprocessed_changes.oldest_age_seconds == pytest.approx(300, abs=10)
    assert (patient.status, patient.checks.unprocessed_changes.status) == (Status.OK, Status.OK)
    assert (strict.status, strict.checks.unprocessed_changes.status) == (Status.DEGRADED, Status.DEGRADED)


def test_degraded_is_503_for_those_who_ask_strictly(published: Served) -> None:
    url = f"{published.base_url}/api/health"
    with published.database.connect(autocommit=True) as connection:
        connection.execute("insert into raw.changes values ('tutor', gen_random_uuid(), now() - interval '16 minutes')")
        try:
            deadline = time.monotonic() + 10
            while (answer := httpx2.get(url)).json()["status"] == "ok":
                assert time.monotonic() < deadline
                time.sleep(0.1)
            strict = httpx2.get(f"{url}?strict=true")
        finally:
            connection.execute("delete from raw.changes")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert (strict.status_code, strict.json()["status"]) == (503, "degraded")


def test_health_does_not_hang_on_a_locked_table(published: Served) -> None:
    with published.database.connect() as connection:
        connection.execute("lock table marts.publication in access exclusive mode")
        health = look(published)
        connection.rollback()
    assert health.status is Status.FAILED
    assert health.checks.database.status is Status.OK
    assert health.checks.publication.status is Status.FAILED
