"""What the health check finds."""

import asyncio
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


def look(published: Served, dagster_url: str | None = None) -> Health:
    async def health() -> Health:
        async with (
            open_pool(published.database.url, size=1) as pool,
            open_pool(dagster_url or published.database.dagster_url, size=1) as dagster_pool,
        ):
            return await HealthProbe(pool, dagster_pool).health()

    return asyncio.run(health())


def test_health_over_http_needs_no_key(published: Served) -> None:
    response = httpx2.get(f"{published.base_url}/api/health?from=probe")
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    health = Health.model_validate_json(response.content)
    assert health.status is Status.OK
    assert health.checks.publication.generation == 7
    assert (health.checks.publication.age_seconds or 0) > 0


def test_dagster_that_cannot_be_asked_is_unknown(published: Served) -> None:
    missing = published.database.dagster_url.replace("/dagster", "/no_such_database")
    for url in (None, missing, "postgresql://nobody@127.0.0.1:1/nothing"):
        health = look(published, url)
        assert health.checks.dagster_daemon.status is Status.UNKNOWN
        assert health.status is Status.OK


@pytest.mark.parametrize(("age", "status"), [(60, Status.OK), (150, Status.DEGRADED)])
def test_the_newest_heartbeat_counts(published: Served, dagster: psycopg.Connection, age: int, status: Status) -> None:
    for kind, seconds in (("SENSOR", age), ("RETIRED", 90_000)):
        dagster.execute(
            "insert into daemon_heartbeats values (%s, now() at time zone 'utc' - make_interval(secs => %s))",
            (kind, seconds),
        )
    health = look(published)
    assert health.checks.dagster_daemon.status is status
    assert health.checks.dagster_daemon.heartbeat_age_seconds == pytest.approx(age, abs=10)
    assert health.status is status


def test_no_heartbeat_at_all_is_unknown(published: Served, dagster: psycopg.Connection) -> None:
    assert look(published).checks.dagster_daemon.status is Status.UNKNOWN


def test_the_oldest_unprocessed_change(published: Served) -> None:
    assert look(published).checks.unprocessed_changes.oldest_age_seconds is None
    with published.database.connect(autocommit=True) as connection:
        connection.execute(
            "insert into raw.changes (entity, entity_id, changed_at) values "
            "('tutor', gen_random_uuid(), now() - interval '5 minutes'), ('tutor', gen_random_uuid(), now())"
        )
        try:
            age = look(published).checks.unprocessed_changes.oldest_age_seconds
        finally:
            connection.execute("delete from raw.changes")
    assert age == pytest.approx(300, abs=10)


def test_health_does_not_hang_on_a_locked_table(published: Served) -> None:
    with published.database.connect() as connection:
        connection.execute("lock table marts.publication in access exclusive mode")
        health = look(published)
        connection.rollback()
    assert health.status is Status.FAILED
    assert health.checks.database.status is Status.OK
    assert health.checks.publication.status is Status.FAILED
