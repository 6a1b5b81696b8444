"""What Prometheus reads."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from core import keys
from core.roles import Role
from tests.api.conftest import Served, served
from tests.api.test_problems import problem
from tests.conftest import PUBLISHED, Postgres

Figures = dict[tuple[str, ...], float]


@pytest.fixture(scope="module")
def platform(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The API with no more rights than its role has, on published marts."""
    home = tmp_path_factory.mktemp("metrics")
    database = postgres.new_database(home, PUBLISHED)
    with served(database, home) as platform:
        yield platform


def read(served: Served) -> Figures:
    """All samples, by name and the values of their labels."""
    with served.client(served.key) as client:
        answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_requests_are_counted_by_route_and_never_by_path(platform: Served) -> None:
    with platform.client(platform.key) as client:
        for _ in range(3):
            client.get("/api/tutors/Hortensia?x=Secret")
        client.get("/api/tutors/T-1")
        client.get("/api/Hortensia")
        client.request("BREW", "/api/tutors")
    figures = read(platform)
    assert figures["tutorq_http_requests_total", "GET", "/api/tutors/{tutor_id}", "400"] == 3
    assert figures["tutorq_http_requests_total", "GET", "/api/tutors/{tutor_id}", "200"] == 1
    assert figures["tutorq_http_requests_total", "GET", "other", "404"] == 1
    assert figures["tutorq_http_request_duration_seconds_count", "GET", "/api/tutors/{tutor_id}"] == 4
    told = str(figures)
    assert "Hortensia" not in told
    assert "BREW" not in told


def test_posted_rows_are_counted_by_what_became_of_them(platform: Served) -> None:
    def session(name: str, **more: object) -> dict[str, object]:
        return {"session_id": name, "tutor_id": "t", "student_id": "s", "scheduled_time": "2026-01-05T10:00:00Z",
                "status": "completed", **more}  # fmt: skip

    with platform.client(platform.key) as client:
        five, four = (session("a", updated_at="2026-01-05T11:00:00Z", rating=rating) for rating in (5, 4))
        assert "duplicate" not in client.post("/api/sessions", json=five).json()
        assert client.post("/api/sessions", json=five).json()["duplicate"] is True
        assert client.post("/api/sessions", json=four).json()["conflict"] is True
        assert client.post("/api/sessions", json=session("a", rating=1)).json()["stale"] is True
        batch = client.post("/api/sessions/batch", json=[session("b"), session("c"), session("b"), {}])
        assert batch.json()["rejected"] == 1
        receipts = batch.json()
    figures = read(platform)
    rows = {
        outcome: figures["tutorq_ingest_rows_total", outcome] for outcome in ("accepted", "duplicate", "quarantined")
    }
    assert rows["accepted"] + rows["duplicate"] == 2 + receipts["queued"] + receipts["duplicate"]
    assert rows["accepted"] >= 3
    assert figures["tutorq_ingest_rows_total", "stale"] == figures["tutorq_ingest_rows_total", "conflict"] == 1
    assert rows["quarantined"] == 2
    assert figures["tutorq_ingest_waiting_rows",] == 0
    live = {
        when: figures["tutorq_live_scores_sessions_total", when] for when in ("at_once", "soon_after", "left_to_run")
    }
    assert live["at_once"] + live["soon_after"] >= 3, "the scores of a, b and c are refreshed"
    assert live["left_to_run"] == 0


def test_figures_of_the_platform(postgres: Postgres, tmp_path: Path) -> None:
    database = postgres.new_database(tmp_path, PUBLISHED)
    with database.connect() as connection:
        connection.execute(
            "insert into raw.changes values ('tutor', gen_random_uuid(), now() - interval '90 seconds'), "
            "('tutor', gen_random_uuid(), now())"
        )
        connection.execute(
            "insert into raw.quarantine (entity, source, line, reason, content) values ('sessions', 'f', 1, 'r', 'c')"
        )
        for state, due in (("queued", 40), ("sent", 0), ("sent", 0), ("failed", 0)):
            connection.execute(
                "insert into app.email_reports "
                "(kind, topic, unique_key, recipient, subject, payload, state, created_at, next_attempt_at) "
                "select 'alert', 't', %s, 'secret@example.org', 's', '{}', %s, due, due "
                "from (select now() - make_interval(secs => %s) as due) as moments",
                [str(uuid4()), state, due],
            )
    database.ensure_databases()
    with served(database, tmp_path) as platform:
        figures = read(platform)
        assert figures["tutorq_database_up",] == 1
        assert figures["tutorq_unprocessed_changes",] == 2
        assert figures["tutorq_unprocessed_oldest_seconds",] == pytest.approx(90, abs=20)
        assert figures["tutorq_quarantine_rows",] == 1
        assert figures["tutorq_outbox_oldest_due_seconds",] == pytest.approx(40, abs=20)
        assert {key[1]: value for key, value in figures.items() if key[0] == "tutorq_outbox_mails"} == {
            "queued": 1, "sending": 0, "sent": 2, "failed": 1, "unknown": 0, "suppressed": 0,
        }  # fmt: skip
        assert figures["tutorq_publication_generation",] == 7
        since = (datetime.now(UTC) - datetime(2026, 1, 31, 12, tzinfo=UTC)).total_seconds()
        assert figures["tutorq_publication_age_seconds",] == pytest.approx(since, abs=60)
        assert ("tutorq_daemon_heartbeat_age_seconds",) not in figures, "never heard of"
        assert figures["process_cpu_seconds_total",] > 0
        assert not any("secret" in str(key) for key in figures)

        # Not looked up anew for every request.
        with database.connect() as connection:
            connection.execute("delete from raw.changes")
        assert read(platform)["tutorq_unprocessed_changes",] == 2


def test_a_database_that_is_away_is_told_and_not_shown_as_zero(tmp_path: Path, published: Served) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    settings = {"database_url": nowhere, "dagster_database_url": nowhere, "metrics": "open"}
    with served(published.database, tmp_path, **settings) as platform:
        started = time.monotonic()
        answer = httpx2.get(f"{platform.base_url}/metrics")
        assert time.monotonic() - started < 15
    assert answer.status_code == 200
    assert "tutorq_database_up 0.0" in answer.text
    assert "tutorq_outbox" not in answer.text
    assert "tutorq_unprocessed" not in answer.text


def test_who_may_look(platform: Served) -> None:
    with platform.database.connect() as connection:
        reader, ingest = (keys.create(connection, f"m-{role}", role).secret for role in (Role.READ, Role.INGEST))
    url = f"{platform.base_url}/metrics"
    problem(httpx2.get(url), 401)
    problem(httpx2.get(url, headers={"Authorization": "Bearer nonsense"}), 401)
    problem(httpx2.get(url, headers={"X-API-Key": str(ingest)}), 403)
    for headers in ({"X-API-Key": str(reader)}, {"Authorization": f"Bearer {reader}"}):
        assert httpx2.get(url, headers=headers).status_code == 200


def test_open_or_off(published: Served, tmp_path: Path) -> None:
    with served(published.database, tmp_path, metrics="open") as platform:
        assert httpx2.get(f"{platform.base_url}/metrics").status_code == 200
    with served(published.database, tmp_path, metrics="off") as platform:
        problem(httpx2.get(f"{platform.base_url}/metrics", headers={"X-API-Key": platform.key}), 404)
